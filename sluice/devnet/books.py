"""Double entry over both halves of the devnet, to the gwei and the wei.

Execution:  all balances + burnt fees = what the first block had + withdrawals that the beacon blocks name
Consensus:  balances + pending deposits + lost = what the first state had + deposits + issued - slashed - withdrawn

What attestations, sync committees and slashings bring and cost is computed here by the specification's formulas
(``epochs.py``); what proposers earn by the route of their rewards, apart from the state transition; which deposits are
lost from their signatures, checked here.
"""

from typing import Any

from sluice.beacon.deposits import DepositData
from sluice.chain.system_contracts import DEPOSIT_CONTRACT, system_contracts
from sluice.devnet import Devnet
from sluice.devnet.epochs import State, attestation_rewards, correlation_penalties, sync_rewards
from sluice.units import Gwei
from sluice.web import new_client

WEI = 10**9
MIN_SLASHING_PENALTY_QUOTIENT = 4096


class BooksError(Exception):
    """Ether came from nowhere or went nowhere."""


class Books:
    """Kept up to date slot by slot; ``check`` closes them at the newest block."""

    def __init__(self, devnet: Devnet) -> None:
        self.devnet = devnet
        self.http = new_client(base_url=devnet.beacon_url, timeout=60)
        self.fork_version = devnet.beacon.genesis().genesis_fork_version
        self.slot = 0
        self.epoch = 0
        self.block = 0
        self.addresses = {account.address.lower() for account in devnet.accounts}
        self.addresses |= {address.lower() for address in system_contracts()}
        self.state = self._state(0)
        """At the beginning of the epoch."""
        self.first_wei = self._execution(0)
        self.first_gwei = self._consensus("genesis")
        self.burnt = self.credited = 0
        self.deposited = self.issued = self.slashed = self.withdrawn = 0
        self.logged = 0
        self.deposits: list[DepositData] = []

    def check(self) -> None:
        """Raises :class:`BooksError`."""
        head = self.devnet.status().head_slot
        for slot in range(self.slot + 1, head + 1):
            self._take_epoch(slot)
            self._take_block(slot)
        self.slot = max(self.slot, head)
        left = self._consensus(head) + self._lost(head)
        due = self.first_gwei + self.deposited + self.issued - self.slashed - self.withdrawn
        _require("gwei of the beacon chain", left, due)
        _require("wei of accounts and burnt", self._execution(self.block) + self.burnt, self.first_wei + self.credited)
        _require("wei credited by withdrawals", self.credited, self.withdrawn * WEI)
        _require("gwei logged by the deposit contract and told to the beacon chain", self.logged, self.deposited)

    # --- Consensus ---

    def _consensus(self, state: int | str) -> int:
        balances = sum(one.balance for one in self.devnet.beacon.validators(state))
        return balances + sum(one.amount for one in self.devnet.beacon.pending_deposits(state))

    def _take_epoch(self, slot: int) -> None:
        """What the transition into a new epoch pays and takes."""
        while self.epoch < slot // self.devnet.slots_per_epoch:
            self.epoch += 1
            first = self.epoch * self.devnet.slots_per_epoch
            before, after = self._state(first - 1), self._state(first)
            self.state = after
            self.issued += attestation_rewards(before, int(after["finalized_checkpoint"]["epoch"]))
            self.slashed += correlation_penalties(before)

    def _state(self, slot: int) -> State:
        state: State = self._get(f"/devnet/states/{slot}")
        return state

    def _get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        return self.http.get(path).raise_for_status().json()

    def _take_block(self, slot: int) -> None:
        answer = self.http.get(f"/eth/v2/beacon/blocks/{slot}")
        if answer.status_code == 404:
            return
        body = answer.json()["data"]["message"]["body"]
        self.issued += int(
            self.http.get(f"/eth/v1/beacon/rewards/blocks/{slot}").raise_for_status().json()["data"]["total"]
        )
        bits = bytes.fromhex(body["sync_aggregate"]["sync_committee_bits"][2:])
        self.issued += sync_rewards(self.state, bits)
        for index in self._offenders(body):  # effective balances change with epochs alone
            effective = int(self.state["validators"][index]["effective_balance"])
            self.slashed += effective // MIN_SLASHING_PENALTY_QUOTIENT
        for request in body["execution_requests"]["deposits"]:
            self._take_deposit(request)
        self._take_execution(body["execution_payload"])

    @staticmethod
    def _offenders(body: dict[str, Any]) -> set[int]:
        proposers = {int(one["signed_header_1"]["message"]["proposer_index"]) for one in body["proposer_slashings"]}
        for one in body["attester_slashings"]:
            first, second = (set(one[f"attestation_{i}"]["attesting_indices"]) for i in (1, 2))
            proposers |= {int(index) for index in first & second}
        return proposers

    def _take_deposit(self, request: dict[str, str]) -> None:
        data = DepositData(
            pubkey=bytes.fromhex(request["pubkey"][2:]),
            credentials=bytes.fromhex(request["withdrawal_credentials"][2:]),
            amount=Gwei(int(request["amount"])),
            signature=bytes.fromhex(request["signature"][2:]),
        )
        self.deposited += data.amount
        self.deposits.append(data)

    def _lost(self, head: int) -> int:
        """First deposits of a key without its signature, once they are no longer waiting: the ether is gone."""
        waiting = {(one.pubkey, one.signature) for one in self.devnet.beacon.pending_deposits(head)}
        return sum(
            data.amount
            for data in self.deposits
            if (data.pubkey, data.signature) not in waiting
            and not data.is_signed(self.fork_version)
            and self.devnet.beacon.validator(data.pubkey, head) is None
        )

    # --- Execution ---

    def _execution(self, block: int) -> int:
        request = self.devnet.node.request
        return sum(int(request("eth_getBalance", address, hex(block)), 16) for address in self.addresses)

    def _take_execution(self, payload: dict[str, Any]) -> None:
        number = int(payload["block_number"])
        _require("number of the next block", number, self.block + 1)
        self.block = number
        self.addresses.add(payload["fee_recipient"].lower())
        for one in payload["withdrawals"]:
            self.addresses.add(one["address"].lower())
            self.withdrawn += int(one["amount"])
            self.credited += int(one["amount"]) * WEI
        block = self.devnet.node.request("eth_getBlockByNumber", hex(number), True)
        self.burnt += int(block["baseFeePerGas"], 16) * int(block["gasUsed"], 16)
        _require("transactions in a block", len(block["transactions"]), len(payload["transactions"]))
        for transaction in block["transactions"]:
            receipt = self.devnet.receipt(transaction["hash"])
            touched = (transaction["from"], transaction["to"], receipt["contractAddress"])
            self.addresses |= {address.lower() for address in touched if address}
            for log in receipt["logs"]:
                if log["address"].lower() == DEPOSIT_CONTRACT.lower():
                    self.logged += _deposit_amount(log["data"])


def _deposit_amount(data: str) -> int:
    raw = bytes.fromhex(data[2:])
    at = int.from_bytes(raw[64:96], "big")
    return int.from_bytes(raw[at + 32 : at + 40], "little")


def _require(what: str, have: int, due: int) -> None:
    if have != due:
        raise BooksError(f"{what}: {have:,}, but must be {due:,} ({have - due:+,})")
