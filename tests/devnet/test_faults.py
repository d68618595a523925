"""The beacon client against everything that a beacon node can do wrong."""

import io

import pytest

from sluice.beacon.client import (
    BeaconAnswerError,
    BeaconClient,
    BeaconNotFoundError,
    BeaconRefusedError,
    BeaconUnavailableError,
)
from sluice.devnet import ControlsError, Devnet
from tests.devnet.states import decode, root_of


@pytest.fixture
def client(devnet: Devnet) -> BeaconClient:
    """An impatient one on the first endpoint."""
    devnet.finalize(8)
    return BeaconClient(devnet.beacon_urls[0], timeout=0.5, deadline=2)


def test_stalled_node_is_given_up_in_time(devnet: Devnet, client: BeaconClient) -> None:
    devnet.set_faults(0, stall=True)
    with pytest.raises(BeaconUnavailableError, match=f"{devnet.beacon_urls[0]}.*no answer in time"):
        client.syncing()
    devnet.set_faults(0)
    assert not client.syncing().is_syncing


def test_slow_node_is_waited_for(devnet: Devnet, client: BeaconClient) -> None:
    devnet.set_faults(0, delay=200)
    assert client.genesis().genesis_time == devnet.genesis_time


def test_503_is_unavailable(devnet: Devnet, client: BeaconClient) -> None:
    devnet.set_faults(0, unavailable=True)
    with pytest.raises(BeaconUnavailableError, match="503: devnet fault"):
        client.finality()


def test_lagging_node_says_so_and_knows_less(devnet: Devnet, client: BeaconClient) -> None:
    devnet.advance(1)
    head = client.header("head").slot
    devnet.set_faults(0, lag=20)
    syncing = client.syncing()
    assert syncing.is_syncing
    assert syncing.sync_distance >= 20
    assert client.header("head").slot <= head - 20 + 1
    assert client.header_at(head) is None
    with BeaconClient(devnet.beacon_urls[1]) as other:
        assert client.finality().finalized.epoch < other.finality().finalized.epoch


def test_pruned_state_is_not_found(devnet: Devnet, client: BeaconClient) -> None:
    devnet.set_faults(0, prune=True)
    with pytest.raises(BeaconNotFoundError, match="pruned"):
        client.state("finalized")
    assert client.header("finalized").finalized


def test_wrong_balance_does_not_have_the_root_of_the_header(devnet: Devnet, client: BeaconClient) -> None:
    true_state = decode(*client.state("finalized"))
    devnet.set_faults(0, wrong_balance={"index": 3, "gwei": 1})
    header = client.header("finalized")
    state = decode(*client.state("finalized"))
    assert state.balances[3] == true_state.balances[3] + 1
    assert root_of(state) != header.state_root


def test_node_that_disagrees_is_seen_only_beside_another(devnet: Devnet, client: BeaconClient) -> None:
    devnet.set_faults(0, disagree={"index": 3, "gwei": -(10**9)})
    header = client.header("finalized")
    assert root_of(decode(*client.state("finalized"))) == header.state_root
    assert client.finality().finalized.root == header.root
    with BeaconClient(devnet.beacon_urls[1]) as other:
        honest = other.header("finalized")
    assert (honest.slot, honest.parent_root) == (header.slot, header.parent_root)
    assert honest.root != header.root


def test_corrupt_and_truncated_states_are_no_states_of_that_header(devnet: Devnet, client: BeaconClient) -> None:
    header = client.header("finalized")
    whole, fork = client.state("finalized")
    devnet.set_faults(0, corrupt=True)
    corrupt, _ = client.state("finalized")
    assert corrupt != whole
    assert root_of(decode(corrupt, fork)) != header.state_root
    devnet.set_faults(0, truncate=True)
    short, _ = client.state("finalized")
    assert short == whole[: len(whole) // 2]


def test_state_larger_than_allowed_is_dropped_on_the_way(devnet: Devnet) -> None:
    with BeaconClient(devnet.beacon_url, state_limit=1000, json_limit=500) as small:
        sink = io.BytesIO()
        with pytest.raises(BeaconAnswerError, match="more than 1,000 bytes"):
            small.download_state("head", sink)
        assert len(sink.getvalue()) <= 1000
        with pytest.raises(BeaconAnswerError, match="more than 500 bytes"):
            small.validators()


def test_unknown_blocks_are_not_found_and_nonsense_is_refused(devnet: Devnet, client: BeaconClient) -> None:
    with pytest.raises(BeaconNotFoundError):
        client.header(bytes(32))
    assert client.header_at(devnet.status().slot + 100) is None
    with pytest.raises(BeaconRefusedError, match="400"):
        client.header("newest")
    assert client.validators(ids=[10**6, bytes(48)]) == []
    assert [one.index for one in client.validators(ids=[3, 1])] == [3, 1]


def test_faults_that_do_not_exist_are_refused(devnet: Devnet) -> None:
    with pytest.raises(ControlsError, match="there is no fault 'explode'"):
        devnet.set_faults(0, explode=True)
    with pytest.raises(ControlsError, match="endpoints are numbered from 0 to 1"):
        devnet.set_faults(2, stall=True)
    devnet.set_faults(1, lag=3)
    assert [one["lag"] for one in devnet.faults()] == [0, 3]
