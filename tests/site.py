"""The deployed protocol made ready for pairs (:mod:`tests.pair`): users with keys and ether, bonds for losses."""

from __future__ import annotations

import ape

from sluice.model import QueueTerms, VaultTerms
from sluice.oracle.committee import local_keys
from sluice.oracle.report import Limits
from sluice.units import Gwei
from tests.backends import Interface, NodeBackend
from tests.pair import ETHER, GWEI, Addresses, Site, users
from tests.protocol import Protocol

USERS = 4


def prepare_site(protocol: Protocol) -> tuple[Site, NodeBackend]:
    """Deploys a second cover fund as bonds (operators' bonds have the same face) and gives users a million ether."""
    who, params = protocol.actors, protocol.params
    bonds = who.deployer.deploy(ape.project.CoverFund, protocol.access, protocol.token, protocol.vault)
    protocol.as_governor(protocol.vault.setBonds, bonds)

    interface = Interface()
    for contract in protocol.contracts.values():
        interface.add(contract.address, contract.contract_type)
    chain = NodeBackend(ape.chain.provider.uri, interface)
    people = users(USERS)
    for key in people.values():
        chain.impersonate(key.address)
        chain.give(key.address, 10**6 * ETHER)

    limits = params.report_limits
    site = Site(
        at=Addresses(
            token=protocol.token.address,
            vault=protocol.vault.address,
            queue=protocol.queue.address,
            oracle=protocol.oracle.address,
            limits=protocol.limits.address,
            rewards=protocol.rewards.address,
            gateway=protocol.gateway.address,
            deposit_contract=protocol.deposit_contract.address,
            fees=protocol.vault.feeRecipient(),
            bonds=bonds.address,
            cover=protocol.vault.cover(),
            seed=protocol.vault.SEED_HOLDER(),
            guardian=who.guardian.address,
            depositor=who.depositor.address,
            stranger=who.stranger.address,
        ),
        users=people,
        committee=committee_of(protocol),
        terms=VaultTerms(
            min_stake=params.vault.minimum_stake,
            vesting_period=params.vault.vesting_period,
            fee=params.vault.fee,
            limit_burst=params.vault.limit_burst,
            limit_growth=params.vault.limit_growth_per_second,
        ),
        queue_terms=QueueTerms(params.queue.minimum_request, params.queue.finalize_window, params.queue.stale_after),
        seed=params.vault.seed,
        limits=Limits(
            limits.yearly_gain,
            limits.loss,
            limits.validators_per_day,
            limits.minimum_age,
            limits.maximum_age,
            Gwei(limits.gain_allowance // GWEI),
        ),
        genesis=protocol.oracle.GENESIS_TIME(),
        frame=protocol.oracle.FRAME_SLOTS() * protocol.oracle.SECONDS_PER_SLOT(),
        seconds_per_slot=protocol.oracle.SECONDS_PER_SLOT(),
    )
    return site, chain


def committee_of(protocol: Protocol) -> list:
    """A bare quorum of the members' keys."""
    keys = {account.address for account in protocol.actors.keys}
    return [key for key in local_keys() if key.address in keys][: protocol.oracle.quorum()]
