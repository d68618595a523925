"""OperatorRegistry: who may run validators and on which terms. Nobody acts for an operator but its own addresses."""

from __future__ import annotations

from dataclasses import replace

import ape
import pytest

from tests.bonding import (
    FOREVER,
    TERMS,
    as_tuple,
    consent_of,
    member_keys,
    register,
    register_cluster,
    submit_cluster,
    terms,
)
from tests.helpers import ZERO, next_at, now, signer
from tests.reverts import reverts
from tests.voting import events_of

ABSENT = {"stakeCap": 0, "weight": 0, "bond": 0, "fee": 0, "threshold": 0}
SOLO = {"stakeCap": 2_048, "weight": 100, "bond": 1_000, "fee": 10_000, "threshold": 0}
CLUSTER = {"stakeCap": 8_192, "weight": 400, "bond": 500, "fee": 10_000, "threshold": 0}
MEMBER_CAP = 16_384


@pytest.fixture(scope="module")
def registry(protocol):
    return protocol.registry


@pytest.fixture(scope="module")
def manager(protocol):
    return protocol.actors.staker


@pytest.fixture(scope="module")
def rewards(protocol):
    return protocol.actors.treasury


@pytest.fixture(scope="module")
def stranger(protocol):
    return protocol.actors.stranger


@pytest.fixture
def solo(protocol, manager, rewards):
    """Operator 1, on the open terms."""
    return register(protocol, manager, rewards)


@pytest.fixture
def keys():
    return member_keys(4)


def added(registry, tx):
    """Id, addresses and terms of the one event {OperatorAdded}: ape cannot build one with a struct to compare with."""
    (event,) = [log for log in events_of(registry, tx) if log.event_name == "OperatorAdded"]
    return event.id, event.manager, event.rewards, tuple(event.terms)


def names(registry, tx):
    return [event.event_name for event in events_of(registry, tx)]


def record_of(registry, operator):
    return tuple(registry.operator(operator))


# --- As deployed ---


def test_registry_says_what_it_is(protocol, registry):
    assert registry.authority() == protocol.access
    assert registry.count() == 0
    assert registry.memberCap() == MEMBER_CAP
    assert [tuple(each) for each in registry.openTerms()] == [as_tuple(SOLO), as_tuple(CLUSTER)]
    assert (registry.MIN_STAKE_CAP(), registry.MIN_MEMBERS(), registry.MAX_MEMBERS()) == (32, 4, 13)


def test_deployment_with_terms_out_of_bounds_reverts(protocol, registry):
    deployer, kind = protocol.actors.deployer, ape.project.OperatorRegistry
    with reverts(registry.BondAboveMaximum, bond=10_001, maximum=10_000):
        deployer.deploy(kind, protocol.access, terms(bond=10_001), TERMS, 0)
    with reverts(registry.FeeAboveMaximum, fee=10_001, maximum=10_000):
        deployer.deploy(kind, protocol.access, TERMS, terms(fee=10_001), 0)


def test_F8_registry_has_no_initialiser_and_no_proxy(registry):
    """What stands there was constructed: no function sets authority or terms but under the access manager's roles."""
    assert not [method.name for method in registry.contract_type.methods if "initial" in method.name.lower()]
    slot = int("360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc", 16)  # ERC-1967
    assert int.from_bytes(ape.chain.provider.get_storage(registry.address, slot)) == 0


# --- Curated operators ---


def test_add_lets_a_curated_operator_in(protocol, registry, manager, rewards):
    tx = protocol.as_registrar(registry.add, manager, rewards, TERMS)
    assert names(registry, tx) == ["OperatorAdded"]
    assert added(registry, tx) == (1, manager, rewards, as_tuple(TERMS))
    assert registry.count() == 1
    assert record_of(registry, 1) == (manager, True, rewards, as_tuple(TERMS))
    assert tuple(registry.mandate(1)) == (manager, True, 320, 1_000)
    assert list(registry.membersOf(1)) == []
    assert (registry.proposedManager(1), registry.proposedRewards(1)) == (ZERO, ZERO)


def test_ids_rise_by_one(protocol, registry, solo, manager, rewards, stranger):
    tx = protocol.as_registrar(registry.add, manager, rewards, TERMS)
    assert added(registry, tx)[0] == solo + 1
    assert register(protocol, stranger) == solo + 2


@pytest.mark.parametrize("missing", ["manager", "rewards"])
def test_add_of_nobody_reverts(protocol, registry, manager, rewards, missing):
    who = {"manager": manager, "rewards": rewards} | {missing: ZERO}
    with reverts(registry.AddressMissing):
        protocol.as_registrar(registry.add, who["manager"], who["rewards"], TERMS)


def test_add_with_a_threshold_reverts(protocol, registry, manager, rewards):
    """Only members that signed have one."""
    with reverts(registry.ThresholdChanged, threshold=3, signed=0):
        protocol.as_registrar(registry.add, manager, rewards, terms(threshold=3))


@pytest.mark.parametrize(
    ("changes", "error", "arguments"),
    [
        ({"stakeCap": 1}, "StakeCapTooLow", {"cap": 1, "minimum": 32}),
        ({"stakeCap": 31}, "StakeCapTooLow", {"cap": 31, "minimum": 32}),
        ({"bond": 10_001}, "BondAboveMaximum", {"bond": 10_001, "maximum": 10_000}),
        ({"fee": 10_001}, "FeeAboveMaximum", {"fee": 10_001, "maximum": 10_000}),
        ({"stakeCap": 0}, None, {}),
        ({"stakeCap": 32}, None, {}),
        ({"stakeCap": 2**32 - 1, "weight": 2**32 - 1}, None, {}),
        ({"bond": 10_000, "fee": 10_000}, None, {}),
        (ABSENT, None, {}),
    ],
)
def test_terms_have_bounds_however_they_are_set(protocol, registry, solo, manager, rewards, changes, error, arguments):
    """INV-REG-01"""
    given = terms(**changes)
    ways = (
        (protocol.as_registrar, registry.add, (manager, rewards, given)),
        (protocol.as_registrar, registry.setTerms, (solo, given)),
        (protocol.as_governor, registry.setOpenTerms, (given, TERMS)),
        (protocol.as_governor, registry.setOpenTerms, (TERMS, given)),
    )
    for act, function, values in ways:
        if error is None:
            act(function, *values)
        else:
            with reverts(getattr(registry, error), **arguments):
                act(function, *values)


# --- Bonded operators: anybody ---


def test_register_takes_the_caller_on_the_open_terms(registry, manager, rewards):
    tx = registry.register(rewards, sender=manager)
    assert names(registry, tx) == ["OperatorAdded"]
    assert added(registry, tx) == (1, manager, rewards, as_tuple(SOLO))
    assert record_of(registry, 1) == (manager, True, rewards, as_tuple(SOLO))


def test_register_without_a_reward_address_reverts(registry, manager):
    with reverts(registry.AddressMissing):
        registry.register(ZERO, sender=manager)


def test_register_follows_the_open_terms_of_the_moment(protocol, registry, solo, manager, rewards):
    protocol.as_governor(registry.setOpenTerms, terms(bond=2_500), CLUSTER)
    assert record_of(registry, register(protocol, manager, rewards))[3] == as_tuple(terms(bond=2_500))
    assert record_of(registry, solo)[3] == as_tuple(SOLO)  # those who are in keep theirs


def test_register_reverts_while_it_is_closed(protocol, registry, manager, rewards):
    protocol.as_governor(registry.setOpenTerms, terms(stakeCap=0), CLUSTER)
    with reverts(registry.NotOpen):
        registry.register(rewards, sender=manager)
    register_cluster(protocol, member_keys(4))  # the other way in stays open


# --- Clusters ---


@pytest.mark.parametrize(("size", "threshold"), [(4, 3), (4, 4), (7, 5), (10, 7), (13, 9), (13, 13)])
def test_cluster_of_members_who_have_all_signed(protocol, registry, manager, rewards, size, threshold):
    keys = member_keys(size)
    tx = register_cluster(protocol, keys, threshold)
    addresses = [key.address for key in keys]
    assert names(registry, tx) == ["OperatorAdded", "MembersSet"]
    assert added(registry, tx) == (1, manager, rewards, as_tuple(CLUSTER | {"threshold": threshold}))
    assert events_of(registry, tx)[1] == registry.MembersSet(id=1, members=addresses)
    assert list(registry.membersOf(1)) == addresses
    assert record_of(registry, 1) == (manager, True, rewards, as_tuple(CLUSTER | {"threshold": threshold}))
    for address in addresses:
        assert (registry.commitmentOf(address), registry.nonces(address)) == (8_192, 1)


@pytest.mark.parametrize("size", [0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 16])
def test_cluster_of_another_size_reverts(protocol, registry, size):
    with reverts(registry.ClusterSizeInvalid, members=size):
        register_cluster(protocol, member_keys(size), 1)


@pytest.mark.parametrize(("size", "threshold"), [(4, 1), (4, 2), (4, 5), (7, 4), (7, 8), (10, 6), (13, 8), (13, 14)])
def test_threshold_is_more_than_two_thirds_and_at_most_all(protocol, registry, size, threshold):
    with reverts(registry.ThresholdInvalid, threshold=threshold, members=size):
        register_cluster(protocol, member_keys(size), threshold)


def test_threshold_of_nobody_reverts(protocol, registry, manager, rewards, keys):
    consent = consent_of(protocol, manager, rewards, keys, 0)
    with reverts(registry.ThresholdInvalid, threshold=0, members=4):
        submit_cluster(protocol, consent, [consent.signed(key) for key in keys])


@pytest.mark.parametrize("order", [(1, 0, 2, 3), (0, 1, 1, 2), (0, 1, 3, 2), (0, 0, 1, 2)])
def test_members_rise_strictly(protocol, registry, manager, rewards, keys, order):
    """So nobody counts twice."""
    chosen = [keys[index] for index in order]
    consent = consent_of(protocol, manager, rewards, chosen, 3)
    at = next(i for i in range(1, 4) if order[i] <= order[i - 1])
    nonces = [order[:i].count(index) for i, index in enumerate(order)]
    signed = [replace(consent, nonce=nonce).signed(key) for nonce, key in zip(nonces, chosen, strict=True)]
    with reverts(registry.MembersNotSorted, previous=chosen[at - 1].address, member=chosen[at].address):
        submit_cluster(protocol, consent, signed)


def test_nobody_is_no_member(protocol, registry, manager, rewards, keys):
    consent = consent_of(protocol, manager, rewards, [ZERO, *keys[:3]], 3)
    with reverts(registry.MembersNotSorted, previous=ZERO, member=ZERO):
        submit_cluster(protocol, consent, [b"", *(consent.signed(key) for key in keys[:3])])


@pytest.mark.parametrize("count", [0, 3, 5])
def test_cluster_takes_one_signature_a_member(protocol, registry, manager, rewards, keys, count):
    consent = consent_of(protocol, manager, rewards, keys, 3)
    signed = [consent.signed(key) for key in (*keys, keys[0])][:count]
    with reverts(registry.LengthMismatch, members=4, signatures=count):
        submit_cluster(protocol, consent, signed)


def test_cluster_without_addresses_reverts(protocol, registry, manager, rewards, keys):
    for field in ("manager", "rewards"):
        consent = replace(consent_of(protocol, manager, rewards, keys, 3), **{field: ZERO})
        with reverts(registry.AddressMissing):
            submit_cluster(protocol, consent, [consent.signed(key) for key in keys])


def test_clusters_are_refused_while_they_are_not_open(protocol, registry, keys):
    protocol.as_governor(registry.setOpenTerms, SOLO, terms(stakeCap=0))
    with reverts(registry.NotOpen):
        register_cluster(protocol, keys)


# --- Consents ---


def test_consent_is_what_wallets_sign(protocol, registry, manager, rewards, keys):
    consent = consent_of(protocol, manager, rewards, keys, 3, deadline=77)
    got = registry.consentDigest(keys[0].address, manager, rewards, list(consent.members), 3, 77)
    assert bytes(got) == consent.digest


@pytest.mark.parametrize("late", [0, 1])
def test_consents_end_with_their_deadline(protocol, registry, manager, rewards, keys, late):
    deadline = now() + 100
    consent = consent_of(protocol, manager, rewards, keys, 3, deadline=deadline)
    signed = [consent.signed(key) for key in keys]
    next_at(deadline + late)
    if late:
        with reverts(registry.ConsentExpired, deadline=deadline):
            submit_cluster(protocol, consent, signed)
    else:
        submit_cluster(protocol, consent, signed)
    assert registry.count() == 1 - late


@pytest.mark.parametrize("index", range(4))
def test_F2_no_member_is_in_a_cluster_against_its_will(protocol, registry, manager, rewards, keys, index):
    """The word of three of four, and of somebody else, is not that of the fourth."""
    consent = consent_of(protocol, manager, rewards, keys, 3)
    stranger = member_keys(1, "stranger")[0]
    signed = [consent.signed(key if i != index else stranger) for i, key in enumerate(keys)]
    with reverts(registry.ConsentInvalid, member=keys[index].address):
        submit_cluster(protocol, consent, signed)
    for broken in (b"", b"\x01" * 64, b"\x01" * 65):
        signed[index] = broken
        with reverts(registry.ConsentInvalid, member=keys[index].address):
            submit_cluster(protocol, consent, signed)
    assert registry.count() == 0


@pytest.mark.parametrize(
    "field", ["manager", "rewards", "members", "threshold", "nonce", "deadline", "contract", "chain_id", "name"]
)
def test_G2_a_consent_for_anything_else_is_refused(protocol, registry, manager, rewards, stranger, keys, field):
    consent = consent_of(protocol, manager, rewards, keys, 3)
    other = {
        "manager": stranger.address,
        "rewards": stranger.address,
        "members": tuple(key.address for key in member_keys(4, "other")),
        "threshold": 4,
        "nonce": 1,
        "deadline": FOREVER - 1,
        "contract": protocol.bonds.address,
        "chain_id": ape.chain.chain_id + 1,
        "name": "Sluice Operator Bonds",
    }[field]
    signed = [replace(consent, **{field: other}).signed(keys[0]), *(consent.signed(key) for key in keys[1:])]
    with reverts(registry.ConsentInvalid, member=keys[0].address):
        submit_cluster(protocol, consent, signed)


def test_G2_consents_count_once(protocol, registry, manager, rewards, keys):
    consent = consent_of(protocol, manager, rewards, keys, 3)
    signed = [consent.signed(key) for key in keys]
    submit_cluster(protocol, consent, signed)
    with reverts(registry.ConsentInvalid, member=keys[0].address):
        submit_cluster(protocol, consent, signed)
    again = replace(consent, nonce=1)
    submit_cluster(protocol, again, [again.signed(key) for key in keys])
    assert registry.count() == 2


def test_member_takes_its_consent_back(protocol, registry, manager, rewards, stranger, keys):
    """As long as the others have not signed too."""
    members = sorted([*(key.address for key in keys[:3]), stranger.address], key=lambda each: int(each, 16))
    consent = consent_of(protocol, manager, rewards, members, 3)
    signers = {key.address: key for key in keys} | {stranger.address: signer(stranger)}
    signed = [consent.signed(signers[member]) for member in members]
    tx = registry.revokeConsent(sender=stranger)
    assert tx.events == [registry.ConsentRevoked(member=stranger, nonce=0)]
    assert registry.nonces(stranger) == 1
    with reverts(registry.ConsentInvalid, member=stranger):
        submit_cluster(protocol, consent, signed)


def test_contract_consents_by_its_own_rules(protocol, registry, manager, rewards, stranger, keys):
    """ERC-1271: a wallet that accepts the signatures of its owner is a member like any other."""
    wallet = stranger.deploy(ape.project.ContractWallet, stranger)
    members = sorted([*(key.address for key in keys[:3]), wallet.address], key=lambda each: int(each, 16))
    consent = consent_of(protocol, manager, rewards, members, 3)
    signers = {key.address: key for key in keys} | {wallet.address: keys[3]}
    with reverts(registry.ConsentInvalid, member=wallet):
        submit_cluster(protocol, consent, [consent.signed(signers[member]) for member in members])
    signers[wallet.address] = signer(stranger)
    submit_cluster(protocol, consent, [consent.signed(signers[member]) for member in members])
    assert registry.commitmentOf(wallet) == 8_192


# --- Members across clusters ---


def test_member_joins_clusters_up_to_its_cap(protocol, registry):
    """INV-REG-02: two clusters of 8,192 ether fill 16,384 to the last ether; the third is one too many."""
    shared, *others = member_keys(10)
    for at in (0, 3):
        register_cluster(protocol, in_order([shared, *others[at : at + 3]]))
    assert registry.commitmentOf(shared.address) == MEMBER_CAP
    with reverts(registry.MemberAboveCap, member=shared.address, commitment=MEMBER_CAP + 8_192, cap=MEMBER_CAP):
        register_cluster(protocol, in_order([shared, *others[6:9]]))
    protocol.as_governor(registry.setMemberCap, MEMBER_CAP + 8_191)
    with reverts(registry.MemberAboveCap, member=shared.address, commitment=MEMBER_CAP + 8_192, cap=MEMBER_CAP + 8_191):
        register_cluster(protocol, in_order([shared, *others[6:9]]))
    protocol.as_governor(registry.setMemberCap, MEMBER_CAP + 8_192)
    register_cluster(protocol, in_order([shared, *others[6:9]]))
    assert registry.commitmentOf(shared.address) == MEMBER_CAP + 8_192


def in_order(keys):
    return sorted(keys, key=lambda key: int(key.address, 16))


def test_commitment_follows_terms_and_activity(protocol, registry, keys):
    """INV-REG-02"""
    register_cluster(protocol, keys)

    def commitments():
        return {registry.commitmentOf(key.address) for key in keys}

    def set_terms(cap):
        return protocol.as_registrar(registry.setTerms, 1, terms(stakeCap=cap, threshold=3))

    set_terms(320)
    assert commitments() == {320}
    set_terms(MEMBER_CAP)
    assert commitments() == {MEMBER_CAP}
    with reverts(registry.MemberAboveCap, member=keys[0].address, commitment=MEMBER_CAP + 2, cap=MEMBER_CAP):
        set_terms(MEMBER_CAP + 2)
    protocol.as_registrar(registry.setActive, 1, False)
    assert commitments() == {0}
    set_terms(MEMBER_CAP + 1)  # commits nobody while it is not active
    assert commitments() == {0}
    with reverts(registry.MemberAboveCap, member=keys[0].address, commitment=MEMBER_CAP + 1, cap=MEMBER_CAP):
        protocol.as_registrar(registry.setActive, 1, True)
    set_terms(640)
    announced = registry.setActive.encode_input(1, True)  # the refused call can be made again until it expires
    protocol.access.execute(registry, announced, sender=protocol.actors.registrar)
    assert commitments() == {640}


def test_lower_member_cap_leaves_clusters_that_are_there(protocol, registry, keys):
    register_cluster(protocol, keys)
    tx = protocol.as_governor(registry.setMemberCap, 100)
    assert events_of(registry, tx) == [registry.MemberCapChanged(oldCap=MEMBER_CAP, cap=100)]
    assert registry.memberCap() == 100
    assert registry.commitmentOf(keys[0].address) == 8_192
    protocol.as_registrar(registry.setTerms, 1, terms(stakeCap=8_191, threshold=3))  # down, still above
    with reverts(registry.MemberAboveCap, member=keys[0].address, commitment=8_192, cap=100):
        protocol.as_registrar(registry.setTerms, 1, terms(stakeCap=8_192, threshold=3))


def test_operators_without_members_commit_nobody(protocol, registry, solo, manager):
    protocol.as_governor(registry.setMemberCap, 0)
    protocol.as_registrar(registry.setTerms, solo, terms(stakeCap=100_000))
    protocol.as_registrar(registry.setActive, solo, False)
    protocol.as_registrar(registry.setActive, solo, True)
    assert registry.commitmentOf(manager) == 0


# --- Terms and activity ---


def test_setTerms(protocol, registry, solo, manager, rewards):
    new = {"stakeCap": 64, "weight": 7, "bond": 250, "fee": 8_000, "threshold": 0}
    tx = protocol.as_registrar(registry.setTerms, solo, new)
    (event,) = events_of(registry, tx)
    assert (event.event_name, event.id) == ("TermsChanged", solo)
    assert (tuple(event.oldTerms), tuple(event.terms)) == (as_tuple(SOLO), as_tuple(new))
    assert record_of(registry, solo) == (manager, True, rewards, as_tuple(new))
    assert tuple(registry.mandate(solo)) == (manager, True, 64, 250)


@pytest.mark.parametrize("threshold", [0, 2, 4])
def test_setTerms_leaves_a_cluster_the_threshold_it_signed(protocol, registry, keys, threshold):
    register_cluster(protocol, keys, 3)
    with reverts(registry.ThresholdChanged, threshold=threshold, signed=3):
        protocol.as_registrar(registry.setTerms, 1, terms(threshold=threshold))


def test_setActive(protocol, registry, solo, manager, rewards):
    tx = protocol.as_registrar(registry.setActive, solo, False)
    assert events_of(registry, tx) == [registry.ActiveChanged(id=solo, active=False)]
    assert record_of(registry, solo) == (manager, False, rewards, as_tuple(SOLO))
    assert tuple(registry.mandate(solo)) == (manager, False, 2_048, 1_000)
    tx = protocol.as_registrar(registry.setActive, solo, True)
    assert events_of(registry, tx) == [registry.ActiveChanged(id=solo, active=True)]
    assert registry.mandate(solo).active


def test_setActive_to_what_it_is_changes_nothing(protocol, registry, keys):
    """Else a second deactivation would free what others of a member's clusters commit."""
    register_cluster(protocol, keys)
    register_cluster(protocol, keys)
    assert events_of(registry, protocol.as_registrar(registry.setActive, 1, True)) == []
    protocol.as_registrar(registry.setActive, 1, False)
    assert events_of(registry, protocol.as_registrar(registry.setActive, 1, False)) == []
    assert registry.commitmentOf(keys[0].address) == 8_192


def test_setOpenTerms(protocol, registry):
    tx = protocol.as_governor(registry.setOpenTerms, terms(bond=1), terms(bond=2))
    (event,) = events_of(registry, tx)
    assert event.event_name == "OpenTermsChanged"
    assert [tuple(each) for each in (event.oldSolo, event.oldCluster)] == [as_tuple(SOLO), as_tuple(CLUSTER)]
    assert [tuple(each) for each in (event.solo, event.cluster)] == [as_tuple(terms(bond=1)), as_tuple(terms(bond=2))]
    assert [tuple(each) for each in registry.openTerms()] == [as_tuple(terms(bond=1)), as_tuple(terms(bond=2))]


def test_setOpenTerms_with_a_threshold_reverts(protocol, registry):
    """Each cluster brings its own."""
    for pair in ((terms(threshold=1), TERMS), (TERMS, terms(threshold=1))):
        with reverts(registry.ThresholdChanged, threshold=1, signed=0):
            protocol.as_governor(registry.setOpenTerms, *pair)


# --- Addresses, in two steps ---


@pytest.mark.parametrize("what", ["Manager", "Rewards"])
def test_F2_an_address_changes_when_the_next_one_accepts(protocol, registry, solo, manager, rewards, stranger, what):
    """INV-REG-03"""
    old = {"Manager": manager, "Rewards": rewards}[what]
    propose, accept = getattr(registry, f"propose{what}"), getattr(registry, f"accept{what}")
    proposed = getattr(registry, f"proposed{what}")
    tx = propose(solo, stranger, sender=old)
    assert tx.events == [getattr(registry, f"{what}Proposed")(id=solo, proposed=stranger)]
    assert proposed(solo) == stranger
    assert record_of(registry, solo) == (manager, True, rewards, as_tuple(SOLO))  # nothing has changed yet
    tx = accept(solo, sender=stranger)
    changed = getattr(registry, f"{what}Changed")(**{"id": solo, f"old{what}": old, what.lower(): stranger})
    assert tx.events == [changed]
    now_is = {"Manager": manager, "Rewards": rewards} | {what: stranger}
    assert record_of(registry, solo) == (now_is["Manager"], True, now_is["Rewards"], as_tuple(SOLO))
    assert proposed(solo) == ZERO
    with reverts(registry.CallerNotAllowed, caller=stranger, allowed=ZERO):
        accept(solo, sender=stranger)
    with reverts(registry.CallerNotAllowed, caller=old, allowed=stranger):
        propose(solo, old, sender=old)


@pytest.mark.parametrize("what", ["Manager", "Rewards"])
def test_F2_a_proposal_is_replaced_or_withdrawn(protocol, registry, solo, manager, rewards, stranger, what):
    old = {"Manager": manager, "Rewards": rewards}[what]
    other = protocol.actors.other
    propose, accept = getattr(registry, f"propose{what}"), getattr(registry, f"accept{what}")
    propose(solo, stranger, sender=old)
    propose(solo, other, sender=old)
    with reverts(registry.CallerNotAllowed, caller=stranger, allowed=other):
        accept(solo, sender=stranger)
    tx = propose(solo, ZERO, sender=old)
    assert tx.events == [getattr(registry, f"{what}Proposed")(id=solo, proposed=ZERO)]
    with reverts(registry.CallerNotAllowed, caller=other, allowed=ZERO):
        accept(solo, sender=other)
    assert record_of(registry, solo)[0] == manager


@pytest.mark.parametrize(
    "who", ["stranger", "other", "deployer", "admin", "governor", "guardian", "depositor", "registrar", "counterpart"]
)
def test_F2_nobody_but_its_own_address_changes_an_operators(protocol, registry, solo, manager, rewards, who):
    """The manager cannot touch the reward address, nor the other way round, and governance neither."""
    for what, own, counterpart in (("Manager", manager, rewards), ("Rewards", rewards, manager)):
        caller = counterpart if who == "counterpart" else getattr(protocol.actors, who)
        with reverts(registry.CallerNotAllowed, caller=caller, allowed=own):
            getattr(registry, f"propose{what}")(solo, caller, sender=caller)
        with reverts(registry.CallerNotAllowed, caller=caller, allowed=ZERO):
            getattr(registry, f"accept{what}")(solo, sender=caller)


def test_F2_another_operators_manager_is_a_stranger(protocol, registry, solo, manager, stranger):
    second = register(protocol, stranger)
    with reverts(registry.CallerNotAllowed, caller=stranger, allowed=manager):
        registry.proposeManager(solo, stranger, sender=stranger)
    with reverts(registry.CallerNotAllowed, caller=manager, allowed=stranger):
        registry.proposeRewards(second, manager, sender=manager)


@pytest.mark.parametrize("name", ["add", "setTerms", "setActive", "setOpenTerms", "setMemberCap"])
@pytest.mark.parametrize("who", ["stranger", "manager", "admin", "guardian", "depositor"])
def test_F2_setters_refuse_strangers(protocol, registry, solo, manager, rewards, name, who):
    caller = manager if who == "manager" else getattr(protocol.actors, who)
    arguments = {
        "add": (manager, rewards, TERMS),
        "setTerms": (solo, TERMS),
        "setActive": (solo, False),
        "setOpenTerms": (TERMS, TERMS),
        "setMemberCap": (1,),
    }[name]
    with reverts(registry.AccessManagedUnauthorized, caller=caller):
        getattr(registry, name)(*arguments, sender=caller)


# --- Reading ---


@pytest.mark.parametrize("unknown", [0, 2, 2**256 - 1])
def test_operators_that_are_not_there(protocol, registry, solo, stranger, unknown):
    calls = [
        lambda: registry.operator(unknown),
        lambda: registry.mandate(unknown),
        lambda: registry.membersOf(unknown),
        lambda: registry.proposeManager(unknown, stranger, sender=stranger),
        lambda: registry.acceptManager(unknown, sender=stranger),
        lambda: registry.proposeRewards(unknown, stranger, sender=stranger),
        lambda: registry.acceptRewards(unknown, sender=stranger),
        lambda: protocol.as_registrar(registry.setTerms, unknown, TERMS),
        lambda: protocol.as_registrar(registry.setActive, unknown, False),
    ]
    for call in calls:
        with reverts(registry.OperatorUnknown, id=unknown):
            call()


@pytest.mark.parametrize(("name", "slots"), [("mandate", 1), ("operator", 2)])
def test_reading_an_operator_costs_as_many_slots_as_it_says(registry, solo, stranger, name, slots):
    data = getattr(registry, name).encode_input(solo)
    call = {"from": stranger.address, "to": registry.address, "data": "0x" + bytes(data).hex()}
    answer = ape.chain.provider.make_request("eth_createAccessList", [call, "latest"])
    touched = {item["address"].lower(): item["storageKeys"] for item in answer["accessList"]}
    assert len(touched[registry.address.lower()]) == slots
