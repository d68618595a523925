"""A validator's life on the devnet: deposits, requests, leaving, being punished."""

from hashlib import sha256

import pytest

from sluice.beacon.deposits import DepositData, credentials_of, sign_exit
from sluice.devnet import Devnet
from sluice.units import Gwei
from tests.devnet.staking import (
    GWEI_PER_ETHER,
    Key,
    balance_of,
    deposit_data,
    eth,
    look,
    make_deposits,
    request_consolidation,
    request_withdrawal,
    until,
    until_status,
)

FAR_FUTURE = 2**64 - 1


def address_of(name: str) -> str:
    """Nobody's address: what arrives there comes from withdrawals alone."""
    return "0x" + sha256(name.encode()).digest()[:20].hex()


@pytest.fixture(scope="module")
def cast(devnet: Devnet) -> dict[str, Key]:
    """The validators of several stories, activated together: waiting for each alone would take minutes."""
    owners = {
        "not yours": (devnet.accounts[6].address, 2, eth(33)),
        "leaves by itself": (address_of("leaver"), 1, eth(32)),
        "source": (devnet.accounts[8].address, 1, eth(32)),
        "target": (devnet.accounts[8].address, 1, eth(32)),
        "slashed": (devnet.accounts[9].address, 2, eth(64)),
        "slashed with it": (devnet.accounts[9].address, 2, eth(64)),
    }
    keys = {name: Key.of(name) for name in owners}
    devnet.add_keys(key.secret for key in keys.values())
    deposits = (
        deposit_data(devnet, keys[name], credentials_of(owner, kind), amount)
        for name, (owner, kind, amount) in owners.items()
    )
    make_deposits(devnet, devnet.accounts[0], *deposits)
    for key in keys.values():
        until_status(devnet, key, "active_ongoing")
    devnet.advance_epochs(3)  # SHARD_COMMITTEE_PERIOD: nobody may leave before
    return keys


def test_a_validator_lives_from_deposit_to_withdrawal(devnet: Devnet) -> None:
    owner = devnet.accounts[5]
    key = Key.of("life")
    credentials = credentials_of(owner.address)
    devnet.add_keys([key.secret])
    data = deposit_data(devnet, key, credentials, eth(40))

    # deposit -> pending
    make_deposits(devnet, devnet.accounts[0], data)
    waiting = [one for one in devnet.beacon.pending_deposits() if one.pubkey == key.pubkey]
    assert [(one.amount, one.withdrawal_credentials) for one in waiting] == [(eth(40), credentials)]
    assert devnet.beacon.validator(key.pubkey) is None

    # -> in the registry -> active, and it earns
    until(devnet, lambda: devnet.beacon.validator(key.pubkey) is not None)
    assert look(devnet, key).status in ("pending_initialized", "pending_queued")
    active = until_status(devnet, key, "active_ongoing")
    assert (active.validator.effective_balance, active.credentials) == (eth(40), credentials)
    devnet.advance_epochs(3)
    assert look(devnet, key).balance > active.balance

    # a part by EIP-7002
    before = balance_of(devnet, owner.address)
    request_withdrawal(devnet, owner, key.pubkey, eth(5))
    assert [(one.validator_index, one.amount) for one in devnet.beacon.pending_partial_withdrawals()] == [
        (active.index, eth(5))
    ]
    paid_for_request = before - balance_of(devnet, owner.address)
    until(devnet, lambda: balance_of(devnet, owner.address) > before)
    assert balance_of(devnet, owner.address) - before + paid_for_request == eth(5) * 10**9
    assert eth(35) < look(devnet, key).balance < eth(36)

    # everything
    until(devnet, lambda: devnet.status().slot // devnet.slots_per_epoch > active.validator.activation_epoch + 2)
    request_withdrawal(devnet, owner, key.pubkey)
    assert look(devnet, key).status == "active_exiting"
    assert look(devnet, key).validator.exit_epoch < FAR_FUTURE
    before = balance_of(devnet, owner.address)
    done = until_status(devnet, key, "withdrawal_done")
    assert done.balance < eth(1) // 1000, "a member of the sync committee is paid for it to the end of the period"
    assert balance_of(devnet, owner.address) - before > eth(35) * 10**9


def test_one_ether_is_a_validator_that_waits_and_a_top_up_by_anybody_wakes_it(devnet: Devnet) -> None:
    key = Key.of("prepared")
    credentials = credentials_of(address_of("prepared"))
    devnet.add_keys([key.secret])
    make_deposits(devnet, devnet.accounts[0], deposit_data(devnet, key, credentials, eth(1)))
    until(devnet, lambda: devnet.beacon.validator(key.pubkey) is not None)
    devnet.advance_epochs(3)
    assert (look(devnet, key).status, look(devnet, key).balance) == ("pending_initialized", eth(1))

    stranger = credentials_of(address_of("stranger"))
    unsigned = DepositData(key.pubkey, stranger, eth(99), bytes(96))  # for a known key nobody looks at these
    make_deposits(devnet, devnet.accounts[1], unsigned)
    active = until_status(devnet, key, "active_ongoing")
    assert (active.validator.effective_balance, active.credentials) == (eth(100), credentials)


def test_first_deposit_fixes_the_credentials(devnet: Devnet) -> None:
    """The front-runner's attack: whoever deposits first for a key decides where its ether goes."""
    key = Key.of("front-run")
    theirs, ours = credentials_of(address_of("theirs")), credentials_of(address_of("ours"))
    make_deposits(
        devnet,
        devnet.accounts[0],
        deposit_data(devnet, key, theirs, eth(1)),
        deposit_data(devnet, key, ours, eth(31)),
    )
    until(devnet, lambda: (one := devnet.beacon.validator(key.pubkey)) is not None and one.balance == eth(32))
    assert look(devnet, key).credentials == theirs


def test_a_deposit_nobody_signed_for_makes_no_validator_and_its_ether_is_gone(devnet: Devnet) -> None:
    key, good = Key.of("unsigned"), Key.of("signed after it")
    credentials = credentials_of(address_of("unsigned"))
    honest = deposit_data(devnet, key, credentials, eth(1))
    forged = DepositData(key.pubkey, credentials, Gwei(honest.amount + 1), honest.signature)
    make_deposits(devnet, devnet.accounts[0], forged, deposit_data(devnet, good, credentials, eth(1)))
    until(devnet, lambda: devnet.beacon.validator(good.pubkey) is not None)
    assert devnet.beacon.validator(key.pubkey) is None
    assert not [one for one in devnet.beacon.pending_deposits() if one.pubkey == key.pubkey]


def test_requests_of_strangers_change_nothing(devnet: Devnet, cast: dict[str, Key]) -> None:
    stranger, key = devnet.accounts[7], cast["not yours"]
    request_withdrawal(devnet, stranger, key.pubkey)
    request_withdrawal(devnet, stranger, key.pubkey, eth(1))
    request_consolidation(devnet, stranger, key.pubkey, key.pubkey)
    assert look(devnet, key).status == "active_ongoing"
    assert not [
        one for one in devnet.beacon.pending_partial_withdrawals() if one.validator_index == look(devnet, key).index
    ]


def test_voluntary_exit_with_the_signing_key(devnet: Devnet, cast: dict[str, Key]) -> None:
    key = cast["leaves by itself"]
    spec, genesis = devnet.beacon.spec(), devnet.beacon.genesis()
    capella = bytes.fromhex(spec.values["CAPELLA_FORK_VERSION"][2:])
    index = look(devnet, key).index
    epoch = devnet.status().slot // devnet.slots_per_epoch
    signature = sign_exit(key.secret, epoch, index, capella, genesis.genesis_validators_root)
    devnet.beacon.submit_voluntary_exit(epoch, index, signature)
    devnet.advance_block()
    assert look(devnet, key).status == "active_exiting"
    until_status(devnet, key, "withdrawal_done")
    assert balance_of(devnet, address_of("leaver")) >= eth(32) * 10**9


def test_consolidation_of_two_validators(devnet: Devnet, cast: dict[str, Key]) -> None:
    owner = devnet.accounts[8]
    source, target = cast["source"], cast["target"]
    request_consolidation(devnet, owner, target.pubkey, target.pubkey)  # first to compounding credentials
    assert look(devnet, target).credentials == credentials_of(owner.address)
    request_consolidation(devnet, owner, source.pubkey, target.pubkey)
    pair = (look(devnet, source).index, look(devnet, target).index)
    assert [(one.source_index, one.target_index) for one in devnet.beacon.pending_consolidations()] == [pair]
    assert look(devnet, source).status == "active_exiting"
    until(devnet, lambda: not devnet.beacon.pending_consolidations())
    devnet.advance_epochs(2)
    assert look(devnet, source).balance < GWEI_PER_ETHER
    assert look(devnet, target).validator.effective_balance == eth(64)


def test_slashing_costs_at_once_and_again_halfway(devnet: Devnet, cast: dict[str, Key]) -> None:
    key, other = cast["slashed"], cast["slashed with it"]
    both = [look(devnet, key), look(devnet, other)]
    devnet.slash([one.index for one in both], "vote")
    devnet.advance_block()
    proposer = devnet.beacon.header("head").proposer_index
    earned = eth(1) // 200  # at most, in an epoch and a block, by who is not paid for reporting
    for before in both:
        slashed = devnet.beacon.validator(before.index)
        assert slashed is not None
        assert (slashed.status, slashed.validator.slashed) == ("active_slashed", True)
        assert before.index == proposer or before.balance - slashed.balance >= eth(64) // 4096 - earned
        assert slashed.validator.withdrawable_epoch < FAR_FUTURE
    slashed = look(devnet, key)

    halfway = slashed.validator.withdrawable_epoch - 32
    devnet.advance_to((halfway + 1) * devnet.slots_per_epoch - 1)
    unpunished = look(devnet, key).balance
    devnet.advance(3)
    assert unpunished - look(devnet, key).balance >= eth(6), (
        "both together are more than a thirtieth of all that is staked"
    )
    assert devnet.finalize(devnet.status().slot - 24).finalized_epoch > halfway - 4
