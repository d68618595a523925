"""The chain itself: states, roots, finality, missed slots."""

import httpx
import pytest

from sluice.beacon.client import BeaconClient
from sluice.chain.node import MOST_AT_ONCE, NodeError
from sluice.devnet import Devnet
from sluice.devnet.books import Books, BooksError
from tests.devnet.staking import balance_of, root_at
from tests.devnet.states import BeaconBlockHeader, decode, root_of


@pytest.mark.parametrize("which", ["head", "finalized", "genesis"])
def test_state_has_the_root_that_its_header_promises(devnet: Devnet, which: str) -> None:
    devnet.finalize(8)
    header = devnet.beacon.header(which)
    ssz, fork = devnet.beacon.state(which)
    state = decode(ssz, fork)
    assert root_of(state) == header.state_root == devnet.beacon.state_root(which)
    assert state.slot == header.slot
    rebuilt = BeaconBlockHeader(
        slot=header.slot,
        proposer_index=header.proposer_index,
        parent_root=header.parent_root,
        state_root=header.state_root,
        body_root=header.body_root,
    )
    assert root_of(rebuilt) == header.root
    assert [one.balance for one in devnet.beacon.validators(which)] == list(state.balances)


def test_two_epochs_after_its_votes_a_checkpoint_is_final(devnet: Devnet) -> None:
    status = devnet.advance_epochs(4)
    finality = devnet.beacon.finality()
    epoch = status.slot // devnet.slots_per_epoch
    assert finality.finalized.epoch == status.finalized_epoch == epoch - 2
    assert finality.current_justified.epoch == epoch - 1
    header = devnet.beacon.header("finalized")
    assert (header.root, header.finalized) == (finality.finalized.root, True)
    assert not devnet.beacon.header("head").finalized


def test_every_block_knows_its_parents_root(devnet: Devnet) -> None:
    devnet.advance(3)
    for slot in range(devnet.status().head_slot - 2, devnet.status().head_slot + 1):
        header = devnet.beacon.header_at(slot)
        assert header is not None
        assert root_at(devnet, devnet.time_of(slot)) == header.parent_root
        assert devnet.beacon.execution_block(slot).timestamp == devnet.time_of(slot)


def test_missed_slots_have_neither_header_nor_root(devnet: Devnet) -> None:
    before = devnet.advance_block().head_slot
    status = devnet.advance(slots=1, skip=3)
    assert (status.slot, status.head_slot, status.blocks) == (before + 4, before + 4, 1)
    assert [devnet.beacon.header_at(slot) for slot in range(before + 1, before + 4)] == [None] * 3
    parent, child = devnet.beacon.header(before), devnet.beacon.header("head")
    assert child.parent_root == parent.root == root_at(devnet, devnet.time_of(before + 4))
    for slot in range(before + 1, before + 4):
        with pytest.raises(NodeError, match="revert"):
            root_at(devnet, devnet.time_of(slot))


def test_a_chain_that_missed_an_epoch_becomes_final_again(devnet: Devnet) -> None:
    devnet.advance(slots=1, skip=devnet.slots_per_epoch + 3)
    devnet.finalize(devnet.status().slot)


def test_transactions_are_in_the_block_of_the_next_slot(devnet: Devnet) -> None:
    alice, bob = devnet.accounts[:2]
    before = balance_of(devnet, bob.address)
    sent = devnet.send(alice, bob.address, value=5)
    assert devnet.node.request("eth_getTransactionReceipt", sent) is None
    devnet.advance_block()
    receipt = devnet.receipt(sent)
    assert int(receipt["blockNumber"], 16) == devnet.beacon.execution_block("head").block_number
    assert balance_of(devnet, bob.address) == before + 5


def test_a_reorganisation_before_finality_changes_the_head_and_loses_no_transaction(devnet: Devnet) -> None:
    alice, bob = devnet.accounts[:2]
    devnet.advance_block()
    final, before = devnet.beacon.header("finalized"), balance_of(devnet, bob.address)
    sent = devnet.send(alice, bob.address, value=3)
    dropped = devnet.advance_block()
    assert balance_of(devnet, bob.address) == before + 3
    status = devnet.reorg(1)
    assert (status.slot, status.head_slot < dropped.head_slot) == (dropped.slot, True)
    assert balance_of(devnet, bob.address) == before
    devnet.advance_block()
    assert devnet.beacon.header_at(dropped.head_slot) is None
    assert devnet.beacon.header("head").parent_root != dropped.head_root
    assert devnet.beacon.header(final.slot) == final
    assert devnet.receipt(sent)["status"] == "0x1"
    assert balance_of(devnet, bob.address) == before + 3
    devnet.finalize(devnet.status().slot)


def test_validators_that_are_offline_are_penalised_and_no_others(devnet: Devnet) -> None:
    devnet.set_offline([40, 41])
    status = devnet.advance_epochs(3)
    devnet.set_offline([])
    epoch = status.slot // devnet.slots_per_epoch - 2  # the last whose attestations are all paid for
    answer = httpx.post(f"{devnet.beacon_url}/eth/v1/beacon/rewards/attestations/{epoch}", json=["40", "41", "42"])
    rewards = {int(one["validator_index"]): int(one["target"]) for one in answer.json()["data"]["total_rewards"]}
    assert rewards[40] < 0
    assert rewards[41] < 0
    assert rewards[42] > 0
    devnet.finalize(devnet.status().slot)


def test_many_calls_in_few_requests(devnet: Devnet) -> None:
    node = devnet.node
    addresses = [account.address for account in devnet.accounts] * 40
    assert len(addresses) > 2 * MOST_AT_ONCE
    found = node.batch([("eth_getTransactionCount", each, "latest") for each in addresses])
    single = {each: node.request("eth_getTransactionCount", each, "latest") for each in set(addresses)}
    assert found == [single[each] for each in addresses]
    assert node.batch([]) == []
    with pytest.raises(NodeError, match="eth_none"):
        node.batch([("eth_chainId",), ("eth_none",)])


def test_books_would_notice_a_missing_gwei(devnet: Devnet, books: Books) -> None:
    books.check()
    books.issued += 1
    with pytest.raises(BooksError):
        books.check()
    books.issued -= 1
    books.burnt += 1
    with pytest.raises(BooksError):
        books.check()
    books.burnt -= 1


def test_genesis_and_specification(devnet: Devnet) -> None:
    genesis, spec = devnet.beacon.genesis(), devnet.beacon.spec()
    assert genesis.genesis_time == devnet.genesis_time
    assert (spec.preset, spec.slots_per_epoch, spec.seconds_per_slot) == ("minimal", 8, 12)
    assert spec.deposit_chain_id == devnet.settings.chain_id
    assert spec.values["SHARD_COMMITTEE_PERIOD"] == "2"
    assert devnet.beacon.fork().current_version.hex() == "06000001"
    with BeaconClient(devnet.beacon_urls[1]) as other:
        assert other.genesis() == genesis


def test_memory_of_both_halves_stays_below_a_gigabyte(devnet: Devnet) -> None:
    used = {process.name: process.memory() for process in devnet.processes}
    assert len(used) == 2
    assert used["consensus"] == pytest.approx(devnet.stats()["memory_mb"] * 10**6, rel=0.2)
    assert sum(used.values()) < 10**9, used
