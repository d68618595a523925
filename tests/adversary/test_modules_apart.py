"""What stands on the core stands apart from it: the same core calls with and without module calls, in two worlds.

In world B users trade in the instant pool, farm and swap in the basket, governance governs these, a rebalancer runs
code of its own, and feeds are read. In world A there are none of these contracts. Two statements:

- *Whatever a module does in the core, an account without code could do.* It shows in the core's events; in A an account
  at the module's address does the same, and all books of the core are equal to the wei (`TwoWorlds`).
- *A call that neither stakes, nor requests, nor pays the core might as well not have been made.* A sees nothing of
  modules at all, and the rate, the queue and what who only holds can claim are equal to the wei (`ModulesAlone`).
  What is left out there moves ether into the core or out of it as any holder may: a stake leaves its rounding to all,
  and what is requested may be paid before a loss, which those who stay then bear.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import ape
import pytest
import rlp
from eth_abi import decode
from eth_utils import keccak, to_canonical_address, to_checksum_address
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyrevm import AccountInfo

from tests.basket import BPS, config
from tests.basket import World as Basket
from tests.in_process import Account, Contract, Process, Reverted
from tests.lst import ERC1967_SLOT, Foreign, pin
from tests.pooling import FOREVER, TERMS, Pool
from tests.small_core import DAY, ETHER, GWEI, MIN_REQUEST, ZERO, SmallCore, address_of_creation
from tests.typed_data import as_bytes, sign_permit

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
USERS = 3
INFINITE = 2**256 - 1
VAULT_SLOTS = 8
QUEUE_SLOTS = 4
WIDE = {"maxRise": 100, "maxFall": 100, "maxAge": 30 * DAY}
"""Of providers: most of what is drawn keeps them healthy."""
START_RATE = 1_091_234_567_890_123_457  # of the other token
HISTORY = "0x0000F90827F1C53a10cb7A02335B175320002935"
"""Where hashes of older blocks are asked for (EIP-2935)."""
ANSWER_STORED = bytes.fromhex("600035545f5260205ff3")
"""Code: what is stored at the number that is asked for."""

checksum = cache(to_checksum_address)
"""Of few addresses, very often."""

users = st.integers(0, USERS - 1)
portions = st.integers(0, 2**16)
"""Of something there is, in parts of 2^16."""
amounts = st.one_of(
    st.integers(1, 10**6), st.builds(lambda tenths, wei: tenths * ETHER // 10 + wei, st.integers(0, 500), portions)
)
"""Dust, or up to 50 ether: of a wide range hypothesis would draw small numbers nearly always."""


def part(whole: int, portion: int) -> int:
    return whole * portion // 2**16


# --- What a module did in the core ---


@dataclass(frozen=True)
class Did:
    """One call of the core, as its events tell it."""

    kind: str
    who: str
    values: tuple[Any, ...]


TOPICS = {
    keccak(text=signature): name
    for name, signature in {
        "Transfer": "Transfer(address,address,uint256)",
        "Deposit": "Deposit(address,address,uint256,uint256)",
        "Referred": "Referred(address,address,uint256,uint256)",
        "Requested": "Requested(uint256,address,address,uint256)",
        "Claimed": "Claimed(uint256,address,uint256)",
        "Approval": "Approval(address,address,uint256)",
    }.items()
}
QUIET = {"Approval", "Referred"}
"""Events that change no book."""


def core_calls(core: SmallCore, owners: dict[int, str]) -> list[Did]:
    """Of the call just made. Any other event of the core is a failure, a report or a payment of requests above all."""
    found: list[Did] = []
    sent: Counter[str] = Counter()
    """slETH to the queue that is no request."""
    for log in core.clock.evm.result.logs:
        place = checksum(log.address)
        if place not in (core.vault.address, core.token.address, core.queue.address):
            assert place not in (core.gateway.address, core.rewards_vault.address)
            continue
        topics, data = log.data
        name = TOPICS.get(topics[0])
        assert name is not None, "a module did what no module does"
        words = [int.from_bytes(word, "big") for word in topics[1:]]
        people = [checksum(word[12:]) for word in topics[1:]]
        if place == core.vault.address and name == "Deposit":
            found.append(Did("stake", people[0], (people[1], decode(["uint256"], data[:32])[0])))
        elif place == core.queue.address and name == "Requested":
            shares = decode(["uint256"], data)[0]
            found.append(Did("request", people[1], (people[2], shares)))
            sent[people[1]] -= shares
        elif place == core.queue.address and name == "Claimed":
            found.append(Did("claim", owners[words[0]], (words[0], people[1])))
        elif name == "Transfer" and place == core.token.address and people[1] == core.queue.address:
            sent[people[0]] += decode(["uint256"], data)[0]
        elif name == "Transfer" and ZERO not in people[:2]:  # else told above
            value = words[2] if place == core.queue.address else decode(["uint256"], data)[0]
            kind = "pass on" if place == core.queue.address else "transfer"
            found.append(Did(kind, people[0], (people[1], value)))
        else:
            assert name in QUIET or name == "Transfer", "a module did what no module does"
    return found + [Did("transfer", who, (core.queue.address, left)) for who, left in sent.items() if left]


MAY: dict[str, set[str]] = {
    "sell": {"transfer"},
    "sell_for": {"transfer"},
    "sell_with_permit": {"transfer"},
    "sell_for_with_permit": {"transfer"},
    "sell_request": {"transfer", "pass on"},
    "send_request": {"transfer", "pass on"},
    "stake_here": {"transfer", "stake"},
    "add": {"transfer", "claim"},
    "remove": {"transfer", "claim"},
    "replenish": {"request"},
    "collect": {"claim"},
    "claim_rest": set(),
    "pay the core": {"transfer", "claim", "stake", "gift"},  # its own addresses are named as receivers
    "pay_treasury": {"transfer"},
    "farm": {"transfer"},
    "basket": {"transfer"},
    "fund": {"transfer"},
    "rebalance": {"transfer", "request"},
    "liquidity token": set(),
    "poke": set(),
    "govern": set(),
}
"""What each call of a module may do in the core: what is not here is no less a failure than another rate."""
BRINGS_OR_TAKES = {"stake", "request", "gift"}
"""What moves ether into the core, or will move some out of it."""


# --- Two worlds ---


NUMBERS = (
    "pooled",
    "supply",
    "unvested",
    "buffer",
    "outside",
    "totalAssets",
    "rate",
    "referenceTime",
    "stakeLimit",
    "slashingPendingUntil",
    "unrecovered",
)


class Recording(Process):
    """Remembers what was called and did not revert: address and selector."""

    def __init__(self) -> None:
        self.called: set[tuple[str, bytes]] = set()
        super().__init__()

    def send(
        self, caller: str, to: str, data: bytes, value: int, is_static: bool = False, gas: int | None = None
    ) -> bytes:
        out = super().send(caller, to, data, value, is_static, gas)
        if not is_static:
            self.called.add((to, data[:4]))
        return out


class CoreAlone:
    """World A."""

    def __init__(self, project: Any) -> None:
        self.process = Recording()
        self._calls: dict[tuple[Any, ...], bytes] = {}
        self.governance, self.fees = self.process.account(0), self.process.account(1)
        self.keys = [ape.accounts.test_accounts[i] for i in range(USERS)]
        self.users = [self.account_at(key.address) for key in self.keys]
        self.passive, self.stranger, self.treasury = (self.process.account(i) for i in (20, 21, 22))
        self.core = SmallCore.deploy(project, self.governance, self.fees, self.process)
        core = self.core
        core.vault.setDepositor(self.governance, True, sender=self.governance)
        for user in self.users:
            core.stake(user, 500 * ETHER)
        core.stake(self.passive, 77 * ETHER + 7)
        core.tip(self.stranger, 31 * ETHER + 7)  # a rate that divides nothing
        core.earn(20 * ETHER)  # what can be lost
        core.queue.request(11 * ETHER + 3 * GWEI, self.passive, sender=self.passive)

    def account_at(self, address: str) -> Account:
        """An ordinary one, with ether enough."""
        self.process.evm.set_balance(address, 10**30)
        return Account(self.process, checksum(address))

    def report(self, gain: int, tips: int) -> None:
        """Nothing has vested when it returns; gwei and wei."""
        core = self.core
        self.process.pass_time(2)
        report = {
            "referenceTime": self.process.now - 1,
            "consensusBalance": core.gained + gain,
            "provision": 0,
            "faults": 0,
            "withdrawn": 0,
            "deposited": 0,
            "rewards": tips,
        }
        core.vault.report(report, sender=self.governance)

    def look(self, contract: Contract, name: str, *args: Any) -> bytes:
        """What a view returns, not decoded: this is done a thousand times for each call."""
        key = (contract.address, name, *args)
        if key not in self._calls:
            self._calls[key] = contract.data_of(name, *args)
        return self.process.send(self.stranger.address, contract.address, self._calls[key], 0, is_static=True)

    def number(self, contract: Contract, name: str, *args: Any) -> int:
        return int.from_bytes(self.look(contract, name, *args)[:32], "big")

    def requests(self) -> list[bytes]:
        """Owner, shares, time, worth, finalised, claimed: a word each."""
        queue = self.core.queue
        last = self.number(queue, "lastRequestId")
        return [self.look(queue, "getRequest", number) for number in range(1, last + 1)]

    def owners(self) -> dict[int, str]:
        """Of all requests; nobody of a claimed one."""
        return {i: checksum(request[12:32]) for i, request in enumerate(self.requests(), 1)}

    def books(self) -> dict[str, Any]:
        """What must be equal whether modules are there or not."""
        core, evm, number = self.core, self.process.evm, self.number
        vault, queue = core.vault, core.queue
        settled = range(1, number(queue, "lastCheckpoint") + 1)
        held = number(core.token, "balanceOf", self.passive.address)
        return {name: number(vault, name) for name in NUMBERS} | {
            "last report": self.look(vault, "lastReport"),
            "consensus": self.look(vault, "consensus"),
            "vault's storage": [evm.storage(vault.address, slot) for slot in range(VAULT_SLOTS)],
            "queue's storage": [evm.storage(queue.address, slot) for slot in range(QUEUE_SLOTS)],
            "vault's ether": vault.balance,
            "open shares": number(queue, "openShares"),
            "last finalised": number(queue, "lastFinalizedId"),
            "checkpoints": [self.look(queue, "getCheckpoint", i) for i in settled],
            "requests": [request[32:160] for request in self.requests()],  # but owners, and whether claimed
            "escrow": number(core.token, "balanceOf", queue.address),
            "fees": number(core.token, "balanceOf", self.fees.address),
            "passive holder": held,
            "passive holder's claim": held * number(vault, "totalAssets") // number(vault, "supply"),
        }

    def holdings(self, places: list[str]) -> dict[str, Any]:
        """What is whose."""
        core = self.core
        found: dict[str, Any] = {f"slETH of {at}": self.number(core.token, "balanceOf", at) for at in places}
        found |= {f"{name}'s ether": at.balance for name, at in self.purses.items()}
        return found | {"queue's ether": core.queue.balance, "owners": self.owners()}

    @property
    def purses(self) -> dict[str, Contract]:
        """What takes ether from anybody without a word."""
        return {"gateway": self.core.gateway, "rewards vault": self.core.rewards_vault}


class WithModules(CoreAlone):
    """World B: the same core, and all that stands on it."""

    def __init__(self, project: Any) -> None:
        super().__init__(project)
        core, governance = self.core, self.governance
        self.pool = Pool.deploy(project, core, self.treasury)
        self.farm = governance.deploy(project.Farm)
        self.basket = governance.deploy(project.LstBasket, core.manager, "Basket", "BASKET", 2, core.vault, 30 * DAY)
        foreign = Foreign(project, governance, core.manager, self.process, WIDE)
        self.other = foreign.reth(START_RATE)
        listing = Basket(project, governance, core.manager, self.basket)
        for token, provider in ((core.token, core.vault), (self.other.token, self.other.provider)):
            listing.basket.addToken(token, config(provider), sender=governance)
        self.spare = foreign.cbeth(START_RATE)
        self.logic = governance.deploy(project.ExchangeRateStandIn)
        self.proxied = foreign.at("ExchangeRateStandIn", governance.deploy(project.OwnProxyStandIn, self.logic))
        self.proxied.updateExchangeRate(START_RATE, sender=governance)
        self.proven = foreign.provider("ExchangeRateProvider", pin(self.logic, max_proof_age=DAY), self.proxied)
        self.managers = [core.manager, governance.deploy(project.ProtocolAccessManager, governance)]
        weth = governance.deploy(project.WrappedEther)
        self.feed = governance.deploy(project.RateFeed, core.vault)
        self.balancer = governance.deploy(project.BalancerRateProvider, core.vault)
        self.morpho = governance.deploy(project.SlEthMorphoOracle, core.vault)
        self.view = governance.deploy(project.StakingVaultView, weth, core.vault)
        self.farmed = [core.token, self.pool.contract, self.basket, self.other.token]
        for user in self.users:
            core.queue.setApprovalForAll(self.pool.contract, True, sender=user)
            self.other.token.mint(user, 10**5 * ETHER, sender=user)
            for token in self.farmed:
                for spender in (self.pool.contract, self.farm, self.basket):
                    token.approve(spender, INFINITE, sender=user)
        # code of the rebalancer, called by the basket, says what its wallet does
        wallet = address_of_creation(governance.address, governance.nonce + 1)
        self.rebalancer = governance.deploy(project.BasketIntruder, wallet)
        self.wallet = governance.deploy(project.ContractWallet, self.rebalancer)
        assert self.wallet.address == wallet
        core.manager.grantRole(7, self.rebalancer, 0, sender=governance)
        selector = self.basket.data_of("rebalance", ZERO, 0, ZERO, b"")[:4]
        core.manager.setTargetFunctionRole(self.basket, [selector], 7, sender=governance)
        self.other.token.mint(self.wallet, 10**5 * ETHER, sender=governance)

    @property
    def modules(self) -> list[str]:
        return [each.address for each in (self.pool.contract, self.farm, self.basket, self.rebalancer, self.wallet)]

    def governed(self) -> list[Contract]:
        return [self.pool.contract, self.basket, self.other.provider]

    def called(self) -> set[str]:
        """Functions of modules that somebody called, as {changing} names them."""
        found = set()
        for place in (self.pool.contract, self.farm, self.basket, self.other.provider, self.proven):
            for method in place.contract_type.methods:
                if (place.address, keccak(text=method.selector)[:4]) in self.process.called:
                    found.add(f"{family(place.contract_type.name)}.{method.name}")
        return found

    def proof(self, implementation: str) -> tuple[bytes, list[bytes], list[bytes]]:
        """That a block of an hour ago had ``implementation`` behind the proxy: a header, and tries of one leaf."""

        def leaf(path: bytes, value: Any) -> bytes:
            return bytes(rlp.encode([b"\x20" + keccak(path), rlp.encode(value)]))

        storage = leaf(ERC1967_SLOT, to_canonical_address(implementation))
        account = leaf(to_canonical_address(self.proxied.address), [1, 0, keccak(storage), keccak(b"code")])
        number = self.process.now // 12 - 300
        header = rlp.encode([b""] * 3 + [keccak(account)] + [b""] * 4 + [number, 0, 0, number * 12] + [b""] * 9)
        self.process.evm.insert_account_info(HISTORY, AccountInfo(code=ANSWER_STORED))
        self.process.evm.insert_account_storage(HISTORY, number, int.from_bytes(keccak(header), "big"))
        return header, [account], [storage]

    def feeds(self) -> dict[str, int]:
        """What others read of the core."""
        round_ = self.look(self.feed, "latestRoundData")
        return {
            "feed": int.from_bytes(round_[32:64], "big"),
            "feed's time": int.from_bytes(round_[96:128], "big"),
            "pools' rate": self.number(self.balancer, "getRate"),
            "Morpho's price": self.number(self.morpho, "price"),
            "view": self.number(self.view, "convertToAssets", ETHER),
            "view's total": self.number(self.view, "totalAssets"),
        }


def told(alone: CoreAlone) -> dict[str, int]:
    """What feeds must say, by the core of the other world."""
    vault = alone.core.vault
    rate, time = alone.number(vault, "rate"), alone.number(vault, "referenceTime")
    return {
        "feed": rate,
        "feed's time": time,
        "pools' rate": rate,
        "Morpho's price": alone.number(vault, "convertToAssets", 10**36),
        "view": rate,
        "view's total": alone.number(vault, "totalAssets"),
    }


def must_agree(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    different = {name: (one[name], other[name]) for name in one if one[name] != other[name]}
    assert not different, f"differs: {different}"


def replay(alone: CoreAlone, did: Did) -> None:
    """An ordinary account does in world A what was done in the core in world B."""
    core, who = alone.core, alone.account_at(did.who)
    to, value = did.values
    assert did.who != alone.passive.address, "a module touched who only holds"
    if did.kind == "stake":
        core.vault.stake(to, 0, ZERO, sender=who, value=value)
    elif did.kind == "request":
        core.queue.request(value, to, sender=who)
    elif did.kind == "claim":
        core.queue.claim(to, core.queue.findCheckpoint(to), value, sender=who)
    elif did.kind == "gift":
        who.transfer(to, value)
    elif did.kind == "pass on":
        core.queue.transferFrom(who, to, value, sender=who)
    else:
        assert did.kind == "transfer"
        core.token.transfer(to, value, sender=who)


# --- Random lives ---

Drawn = tuple[str, dict[str, Any]]
ACTIONS: list[st.SearchStrategy[Drawn]] = []


def act(weight: int = 1, **drawn: st.SearchStrategy[Any]) -> Callable[[Any], Any]:
    """One of the things to do, with what is drawn for it. hypothesis' own machines leave out most rules in a run."""

    def kept(method: Any) -> Any:
        ACTIONS.extend([st.tuples(st.just(method.__name__), st.fixed_dictionaries(drawn))] * weight)
        return method

    return kept


class TwoWorlds:
    """Core calls are made in both worlds, module calls in one."""

    mirrored = True
    """Whether A sees what modules do in the core; if not, modules do nothing that moves ether into it or out of it."""

    def __init__(self, project: Any, done: Counter[str], assets: int = 50 * ETHER, shares: int = 50 * ETHER) -> None:
        self.done = done
        self.a, self.b = CoreAlone(project), WithModules(project)
        self.rests: list[int] = []
        self.add(0, 2 * ETHER + assets, 50 * ETHER + shares)
        self.basket_add(1, False, 40 * ETHER)
        self.basket_add(2, True, 40 * ETHER)
        for user in range(USERS):
            for _ in range(2):
                self.request(user, (3 + user) * ETHER)
            self.add_stream(user, user, 3, ETHER, 3)
            self.farm_stake(user, user, ETHER, choose=True)
        self.sell_request(0, False, False)  # part of what waits is the pool's
        self.core("endow", lambda w: w.core.token.transfer(self.b.wallet, 50 * ETHER, sender=w.users[0]))

    # --- Both kinds of calls ---

    def core(self, name: str, call: Callable[[CoreAlone], Any]) -> Any:
        """In both, with the same outcome."""
        outcomes = []
        for world in (self.a, self.b):
            try:
                outcomes.append((True, call(world)))
            except Reverted as refusal:
                outcomes.append((False, refusal.data))
        assert outcomes[0] == outcomes[1], f"{name} came out differently"
        if outcomes[0][0]:
            self.done[name] += 1
        return outcomes[0][1] if outcomes[0][0] else None

    def module(self, name: str, call: Callable[[], Any], kind: str = "") -> Any:
        """In B; what it does in the core is done in A by accounts. None where it was refused."""
        owners, held = self.b.owners(), {name: at.balance for name, at in self.b.purses.items()}
        try:
            out = call()
        except Reverted:
            return None
        calls = core_calls(self.b.core, owners)
        payer = self.b.pool.contract.address
        for label, purse in self.b.purses.items():
            if given := purse.balance - held[label]:
                calls.append(Did("gift", payer, (purse.address, given)))
        assert {did.kind for did in calls} <= MAY[kind or name], f"{name} did {calls}"
        if self.mirrored:
            for did in calls:
                replay(self.a, did)
        else:
            assert not BRINGS_OR_TAKES & {did.kind for did in calls}, "ether came into the core or will go out"
        self.done[name] += 1
        return out if out is not None else True

    def shares_of(self, who: Account) -> int:
        """Of what both worlds have: without a mirror modules may have taken some."""
        return min(int(world.core.token.balanceOf(who)) for world in (self.a, self.b))

    def owned_in_both(self, *, finalised: bool) -> list[int]:
        """Requests that nobody has claimed in either world."""
        last = int(self.a.core.queue.lastFinalizedId())
        ids = [i for i, owner in self.a.owners().items() if owner != ZERO and (i <= last) == finalised]
        return [i for i in ids if self.b.owners()[i] != ZERO]

    # --- Core ---

    @act(user=users, amount=amounts)
    def stake(self, user: int, amount: int) -> None:
        self.core("stake", lambda w: w.core.stake(w.users[user], amount))

    @act(user=users, other=users, portion=portions)
    def transfer(self, user: int, other: int, portion: int) -> None:
        amount = part(self.shares_of(self.a.users[user]), portion)
        self.core("transfer", lambda w: w.core.token.transfer(w.users[other], amount, sender=w.users[user]))

    @act(user=users, amount=amounts)
    def request(self, user: int, amount: int) -> None:
        if MIN_REQUEST <= amount <= self.shares_of(self.a.users[user]):
            self.core("request", lambda w: w.core.queue.request(amount, w.users[user], sender=w.users[user]))

    @act(weight=2, count=st.integers(1, 6))
    def finalize(self, count: int) -> None:
        queue = self.a.core.queue
        up_to = min(int(queue.finalizable()), int(queue.lastFinalizedId()) + count)
        if up_to > queue.lastFinalizedId():
            self.core("finalize", lambda w: w.core.queue.finalize(up_to, sender=w.stranger))

    @act(choice=portions)
    def claim(self, choice: int) -> None:
        """For whoever owns it: anybody may."""
        if waiting := self.owned_in_both(finalised=True):
            number = waiting[choice % len(waiting)]
            self.core("claim", lambda w: w.core.queue.claim(number, sender=w.stranger))

    @act(gain=st.integers(1, 5 * ETHER // GWEI))
    def earn(self, gain: int) -> None:
        self.core("earn", lambda w: w.report(gain, 0))

    @act(wei=st.integers(1, 5 * ETHER))
    def tip(self, wei: int) -> None:
        def tipped(w: CoreAlone) -> None:
            w.stranger.transfer(w.core.rewards_vault, wei)
            w.report(0, wei)

        self.core("tip", tipped)

    @act(portion=portions)
    def lose(self, portion: int) -> None:
        gained = int(self.a.core.gained)
        self.core("lose", lambda w: w.report(-part(gained, portion), 0))

    @act()
    def touch(self) -> None:
        self.core("touch", lambda w: w.report(0, 0))

    @act(weight=2, count=st.integers(1, 6))
    def settle(self, count: int) -> None:
        """A report, and what it covers is paid and counted."""
        self.touch()
        self.finalize(count)
        self.collect(5)
        self.claim_rest(0)

    @act(often=st.integers(0, 3))
    def note_slashing(self, often: int) -> None:
        if often == 0:
            self.core("note", lambda w: w.core.vault.noteSlashing(sender=w.governance))

    @act(weight=2, seconds=st.one_of(st.integers(1, 4_000), st.integers(1, DAY), st.sampled_from((DAY, 3 * DAY))))
    def pass_time(self, seconds: int) -> None:
        for world in (self.a, self.b):
            world.process.pass_time(seconds)

    # --- Instant pool ---

    def amount_of(self, token: Contract, user: int, amount: int) -> int:
        return min(amount, int(token.balanceOf(self.b.users[user])))

    def permit(self, token: Contract, user: int, spender: Any, value: int) -> Any:
        """Signed by a user; good for a day."""
        key, deadline = self.b.keys[user], self.b.process.now + DAY
        nonce = int(token.nonces(key))
        signature = sign_permit(token, key, spender=spender, value=value, nonce=nonce, deadline=deadline, chain_id=1)
        return deadline, signature

    @act(user=users, amount=amounts)
    def sell(self, user: int, amount: int) -> None:
        who, pool = self.b.users[user], self.b.pool.contract
        shares = self.amount_of(self.b.core.token, user, amount)
        self.module("sell", lambda: pool.sell(shares, 0, who, FOREVER, sender=who))

    @act(user=users, portion=portions)
    def sell_for(self, user: int, portion: int) -> None:
        who, pool = self.b.users[user], self.b.pool
        assets = part(pool.assets, portion)
        self.module("sell_for", lambda: pool.contract.sellFor(assets, INFINITE, who, FOREVER, sender=who))

    @act(user=users, amount=amounts)
    def sell_with_permit(self, user: int, amount: int) -> None:
        who, b = self.b.users[user], self.b
        shares = self.amount_of(b.core.token, user, amount)
        deadline, signature = self.permit(b.core.token, user, b.pool.contract, shares)
        args = (shares, 0, who, deadline, as_bytes(signature))
        b.core.token.approve(b.pool.contract, 0, sender=who)
        self.module("sell_with_permit", lambda: b.pool.contract.sellWithPermit(*args, sender=who))
        b.core.token.approve(b.pool.contract, INFINITE, sender=who)

    @act(user=users, portion=portions)
    def sell_for_with_permit(self, user: int, portion: int) -> None:
        who, b = self.b.users[user], self.b
        most = int(b.core.token.balanceOf(who))
        deadline, signature = self.permit(b.core.token, user, b.pool.contract, most)
        args = (part(b.pool.assets, portion), most, who, deadline, as_bytes(signature))
        b.core.token.approve(b.pool.contract, 0, sender=who)
        self.module("sell_for_with_permit", lambda: b.pool.contract.sellForWithPermit(*args, sender=who))
        b.core.token.approve(b.pool.contract, INFINITE, sender=who)

    @act(user=users, where=st.integers(0, 3), how=st.integers(0, 3), portion=portions)
    def pay_the_core(self, user: int, where: int, how: int, portion: int) -> None:
        """An address of the core is named as the receiver. Ether: the vault stakes it for the pool, gateway and rewards
        vault just keep it, the queue refuses. slETH: it lies there.
        """
        if not self.mirrored:
            return
        who, pool, basket, core = self.b.users[user], self.b.pool, self.b.basket, self.b.core
        to = (core.vault, core.gateway, core.rewards_vault, core.queue)[where]
        liquidity, lp = (part(int(token.balanceOf(who)), portion) // 8 for token in (pool.contract, basket))
        mine = [i for i in self.rests if checksum(pool.contract.restOf(i)[0]) == who.address]
        assets = part(pool.assets, portion) // 8
        calls = {
            0: lambda: pool.contract.sellFor(assets, INFINITE, to, FOREVER, sender=who),
            1: lambda: pool.contract.removeLiquidity(liquidity, 0, 0, to, sender=who),
            2: lambda: basket.removeAll(lp, [0] * len(basket.tokens()), to, sender=who),
        }
        if how < len(calls):
            self.module("pay the core", calls[how])
        elif mine:
            self.claim_rest(self.rests.index(mine[0]), to)

    @act(weight=3, choice=portions, for_ether=st.booleans(), sent=st.booleans())
    def sell_request(self, choice: int, for_ether: bool, sent: bool) -> None:
        pool, queue, owners = self.b.pool.contract, self.b.core.queue, self.b.owners()
        people = {each.address: each for each in self.b.users}
        mine = [i for i in self.owned_in_both(finalised=False) if owners[i] in people]
        if not mine:
            return
        number = mine[choice % len(mine)]
        who = people[owners[number]]

        def send() -> None:
            data = bytes(31) + bytes([for_ether]) + bytes(32) + bytes.fromhex(who.address[2:]).rjust(32, b"\0")
            queue.safeTransferFrom(who, pool, number, data + FOREVER.to_bytes(32, "big"), sender=who)

        def offer() -> None:
            pool.sellRequest(number, for_ether, 0, who, FOREVER, sender=who)

        if sent:
            self.module("send_request", send)
        else:
            self.module("sell_request", offer)

    @act(user=users, amount=amounts)
    def stake_here(self, user: int, amount: int) -> None:
        who, pool = self.b.users[user], self.b.pool
        if not self.mirrored:
            amount = min(amount, self.b.core.worth(pool.shares))  # what the pool has reaches for it
        self.module("stake_here", lambda: pool.contract.stake(who, 0, ZERO, sender=who, value=amount))

    @act(user=users, assets=st.one_of(st.just(0), amounts), shares=st.one_of(st.just(0), amounts))
    def add(self, user: int, assets: int, shares: int) -> None:
        who, pool = self.b.users[user], self.b.pool.contract
        shares = self.amount_of(self.b.core.token, user, shares)
        self.module("add", lambda: pool.addLiquidity(shares, 0, who, FOREVER, sender=who, value=assets))

    @act(weight=3, user=users, portion=portions)
    def remove(self, user: int, portion: int) -> None:
        who, pool = self.b.users[user], self.b.pool.contract
        liquidity = part(int(pool.balanceOf(who)), portion)
        got = self.module("remove", lambda: pool.removeLiquidity(liquidity, 0, 0, who, sender=who))
        if got and got[3]:
            self.rests.append(got[2])

    @act(weight=2)
    def replenish(self) -> None:
        """Opens a request, which takes ether out of the core once it is paid."""
        if self.mirrored:
            self.module("replenish", lambda: self.b.pool.contract.replenish(sender=self.b.stranger))

    @act(limit=st.integers(1, 5))
    def collect(self, limit: int) -> None:
        self.module("collect", lambda: self.b.pool.contract.collect(limit, sender=self.b.stranger))

    @act(weight=2, choice=portions)
    def claim_rest(self, choice: int, to: Any = None) -> None:
        """Anybody for its owner; its owner for whom it likes."""
        if not self.rests:
            return
        number, pool = self.rests[choice % len(self.rests)], self.b.pool.contract
        owner = checksum(pool.restOf(number)[0])
        if to is None:
            paid = self.module("claim_rest", lambda: pool.claimRest(number, owner, sender=self.b.stranger))
        else:
            who = next(user for user in self.b.users if user.address == owner)
            paid = self.module("pay the core", lambda: pool.claimRest(number, to, sender=who))
        if paid:
            self.rests.remove(number)
            self.rests += [paid[1]] if paid[1] else []

    @act()
    def pay_treasury(self) -> None:
        self.module("pay_treasury", lambda: self.b.pool.contract.payTreasury(sender=self.b.stranger))

    @act(low=st.integers(1, 100), more=st.integers(0, 900), part_=st.integers(0, 5_000), target=st.integers(1, 1_000))
    def set_terms(self, low: int, more: int, part_: int, target: int) -> None:
        terms = {"minFee": low, "maxFee": low + more, "treasuryPart": part_, "target": target * ETHER // 100}
        assert terms.keys() == TERMS.keys()
        b = self.b
        self.module("set terms", lambda: b.pool.contract.setTerms(terms, sender=b.governance), "govern")

    @act(choice=st.integers(0, USERS))
    def set_treasury(self, choice: int) -> None:
        b = self.b
        to = [b.treasury, *b.users][choice]
        self.module("set treasury", lambda: b.pool.contract.setTreasury(to, sender=b.governance), "govern")

    @act(seconds=st.integers(1, 14 * DAY), on=st.integers(0, 9))
    def pause(self, seconds: int, on: int) -> None:
        """The pool; seldom for long."""
        b = self.b
        if on == 0:
            self.module("pause", lambda: b.pool.contract.pause(seconds, sender=b.governance), "govern")
        else:
            self.module("resume", lambda: b.pool.contract.resume(sender=b.governance), "govern")

    @act(which=st.integers(0, 2), choice=st.integers(0, 1))
    def set_authority(self, which: int, choice: int) -> None:
        """And back again: what governs decides who governs."""
        b = self.b
        place, (old, new) = b.governed()[which], b.managers if choice else b.managers[::-1]
        there = next(m for m in (old, new) if m.address == checksum(place.authority()))
        other = new if there is old else old
        for before, after in ((there, other), (other, there)):
            call = lambda before=before, after=after: before.updateAuthority(place, after, sender=b.governance)  # noqa: E731
            self.module(f"authority of {family(place.contract_type.name)}", call, "govern")

    @act(user=users, other=users, basket=st.booleans(), how=st.integers(0, 2), portion=portions)
    def liquidity_token(self, user: int, other: int, basket: bool, how: int, portion: int) -> None:
        """Tokens of the pool and of the basket change hands by a transfer, an approval or a permit."""
        b, who, to = self.b, self.b.users[user], self.b.users[other]
        token = b.basket if basket else b.pool.contract
        amount = part(int(token.balanceOf(who)), portion)
        if how == 0:
            self.module("liquidity token", lambda: token.transfer(to, amount, sender=who))
            return
        if how == 1:
            self.module("approve", lambda: token.approve(b.stranger, amount, sender=who), "liquidity token")
        else:
            deadline, signed = self.permit(token, user, b.stranger, amount)
            args = (who, b.stranger, amount, deadline, signed.v, signed.r, signed.s)
            self.module("permit", lambda: token.permit(*args, sender=b.stranger), "liquidity token")
        take = lambda: token.transferFrom(who, to, amount, sender=b.stranger)  # noqa: E731
        self.module("transfer from", take, "liquidity token")

    # --- Farm ---

    @act(user=users, stake=st.integers(0, 3), reward=st.integers(0, 3), amount=amounts, days=st.integers(1, 5))
    def add_stream(self, user: int, stake: int, reward: int, amount: int, days: int) -> None:
        b, who = self.b, self.b.users[user]
        start = b.process.now
        amount = self.amount_of(b.farmed[reward], user, amount)
        args = (b.farmed[stake], b.farmed[reward], amount, start, start + days * DAY)
        self.module("add stream", lambda: b.farm.addStream(*args, sender=who), "farm")

    @act(weight=2, user=users, which=st.integers(0, 3), amount=amounts, choose=st.booleans())
    def farm_stake(self, user: int, which: int, amount: int, choose: bool) -> None:
        b, who = self.b, self.b.users[user]
        token = b.farmed[which]
        amount = self.amount_of(token, user, amount)
        ids = []
        for number in range(1, int(b.farm.lastStreamId()) + 1):
            stream = b.farm.stream(number)
            fits = checksum(stream[0]) == token.address and b.process.now < stream[5]
            if choose and fits and number not in b.farm.streamsOf(token, who):
                ids.append(number)
        self.module("farm", lambda: b.farm.stake(token, amount, who, ids[:2], sender=who))

    @act(user=users, which=st.integers(0, 3), amount=amounts)
    def farm_stake_with_permit(self, user: int, which: int, amount: int) -> None:
        b, who = self.b, self.b.users[user]
        token = b.farmed[which % 3]  # the other token knows no permits
        amount = self.amount_of(token, user, amount)
        deadline, signed = self.permit(token, user, b.farm, amount)
        args = (token, amount, who, [], deadline, signed.v, signed.r, signed.s)
        self.module("farm by permit", lambda: b.farm.stakeWithPermit(*args, sender=who), "farm")

    @act(weight=2, user=users, which=st.integers(0, 3), number=st.integers(1, 9))
    def enable(self, user: int, which: int, number: int) -> None:
        b, who = self.b, self.b.users[user]
        self.module("enable", lambda: b.farm.enable(b.farmed[which], [number], sender=who), "farm")

    @act(user=users, which=st.integers(0, 3), choice=portions, forget=st.booleans())
    def disable(self, user: int, which: int, choice: int, forget: bool) -> None:
        b, who = self.b, self.b.users[user]
        if ids := b.farm.streamsOf(b.farmed[which], who):
            number = ids[choice % len(ids)]
            call = lambda: b.farm.disable(b.farmed[which], [number], forget, sender=who)  # noqa: E731
            self.module("disable", call, "farm")

    @act(weight=2, choice=portions)
    def reclaim(self, choice: int) -> None:
        b = self.b
        number = 1 + choice % int(b.farm.lastStreamId())
        self.module("reclaim", lambda: b.farm.reclaim(number, sender=b.stranger), "farm")

    @act(weight=2, user=users, which=st.integers(0, 3), portion=portions)
    def farm_unstake(self, user: int, which: int, portion: int) -> None:
        b, who = self.b, self.b.users[user]
        amount = part(int(b.farm.stakeOf(b.farmed[which], who)), portion)
        self.module("unstake", lambda: b.farm.unstake(b.farmed[which], amount, who, sender=who), "farm")

    @act(user=users, which=st.integers(0, 3), emergency=st.booleans())
    def farm_exit(self, user: int, which: int, emergency: bool) -> None:
        b, who = self.b, self.b.users[user]
        if emergency:
            self.module("exit at once", lambda: b.farm.emergencyExit(b.farmed[which], who, sender=who), "farm")
            return
        due = any(b.farm.earned(number, who) for number in b.farm.streamsOf(b.farmed[which], who))
        if self.module("exit", lambda: b.farm.exit(b.farmed[which], who, sender=who), "farm"):
            self.done["exit with rewards"] += due

    @act(weight=2, user=users)
    def farm_claim(self, user: int) -> None:
        b, who = self.b, self.b.users[user]
        ids = list(range(1, int(b.farm.lastStreamId()) + 1))
        if any(b.farm.earned(number, who) for number in ids):
            self.module("farm claim", lambda: b.farm.claim(ids, who, sender=who), "farm")

    # --- Basket ---

    @act(weight=4, user=users, turned=st.booleans(), amount=amounts, exact_out=st.booleans())
    def swap(self, user: int, turned: bool, amount: int, exact_out: bool) -> None:
        b, who = self.b, self.b.users[user]
        given, taken = (b.other.token, b.core.token) if turned else (b.core.token, b.other.token)
        if exact_out:
            args = (given, taken, amount, INFINITE, who, FOREVER)
            self.module("swap out", lambda: b.basket.swapExactOut(*args, sender=who), "basket")
        else:
            args = (given, taken, self.amount_of(given, user, amount), 0, who, FOREVER)
            self.module("swap in", lambda: b.basket.swapExactIn(*args, sender=who), "basket")

    @act(user=users, other=st.booleans(), amount=amounts)
    def basket_add(self, user: int, other: bool, amount: int) -> None:
        b, who = self.b, self.b.users[user]
        token = b.other.token if other else b.core.token
        amount = self.amount_of(token, user, amount)
        self.module("basket add", lambda: b.basket.addLiquidity(token, amount, 0, who, sender=who), "basket")

    @act(user=users, other=st.booleans(), portion=portions)
    def basket_remove(self, user: int, other: bool, portion: int) -> None:
        b, who = self.b, self.b.users[user]
        lp = part(int(b.basket.balanceOf(who)), portion)
        token = b.other.token if other else b.core.token
        self.module("basket remove", lambda: b.basket.removeLiquidity(lp, token, 0, who, sender=who), "basket")

    @act(user=users, portion=portions)
    def basket_remove_all(self, user: int, portion: int) -> None:
        b, who = self.b, self.b.users[user]
        lp, none = part(int(b.basket.balanceOf(who)), portion), [0] * len(b.basket.tokens())
        self.module("basket remove all", lambda: b.basket.removeAll(lp, none, who, sender=who), "basket")

    @act(weight=2, user=users, portion=portions)
    def basket_collect(self, user: int, portion: int) -> None:
        """slETH refuses to go to its own address, so it is owed."""
        b, who, token = self.b, self.b.users[user], self.b.core.token
        lp, none = part(int(b.basket.balanceOf(who)), portion) // 8, [0] * len(b.basket.tokens())
        self.module("basket remove all", lambda: b.basket.removeAll(lp, none, token, sender=who), "basket")
        self.module("basket collect", lambda: b.basket.collect(token, who, sender=who), "basket")

    @act(weight=2, turned=st.booleans(), amount=amounts, requests=st.booleans(), loses=st.integers(0, 3))
    def rebalance(self, turned: bool, amount: int, requests: bool, loses: int) -> None:
        """Code of the rebalancer runs in the middle: it sells in the pool, may request, and brings the other token."""
        b, wallet = self.b, self.b.wallet
        taken, given = (b.core.token, b.other.token) if turned else (b.other.token, b.core.token)
        core_rate, (low, high) = b.core.vault.convertToAssets(ETHER), b.other.provider.reading()[1:]
        bring = amount * (core_rate + 1) // low if turned else amount * high // core_rate
        bonus = max(0, -int(b.basket.configOf(given)[2]))  # goes back
        bring = (bring + 2) * BPS // (BPS - bonus) + 2
        deeds = [
            (b.core.token, b.core.token.data_of("approve", b.pool.contract, INFINITE)),
            (b.pool.contract, b.pool.contract.data_of("sell", ETHER // 9, 0, wallet, FOREVER)),
            (given, given.data_of("transfer", b.basket, bring - (bring // 1000 + 2) * (loses == 0))),
        ]
        if requests and self.mirrored:
            deeds.append((b.core.queue, b.core.queue.data_of("request", MIN_REQUEST, wallet)))
        calls = [wallet.data_of("execute", place, data) for place, data in deeds]
        b.rebalancer.setCalls(calls, sender=b.governance)
        before = int(b.rebalancer.entered())
        data = b.basket.data_of("rebalance", taken, amount, given, b"")
        if self.module("rebalance", lambda: b.rebalancer.run(b.basket, data, sender=b.governance)):
            assert loses, "the basket was left poorer"
            self.done["sale while rebalancing"] += int(b.rebalancer.entered()) - before == len(deeds)
            back = taken.data_of("transfer", wallet, taken.balanceOf(b.rebalancer))
            self.module("hand on", lambda: b.rebalancer.run(taken, back, sender=b.governance), "basket")

    @act(user=users, amount=st.integers(1, ETHER))
    def fund(self, user: int, amount: int) -> None:
        b, who = self.b, self.b.users[user]
        self.module("fund", lambda: b.basket.fund(b.core.token, amount, sender=who))

    @act()
    def release_incentive(self) -> None:
        b = self.b
        self.module("release", lambda: b.basket.releaseIncentive(b.core.token, sender=b.governance), "govern")

    @act(other=st.booleans(), in_fee=st.integers(0, 100), bonus=st.integers(0, 100), off=st.integers(0, 9))
    def configure(self, other: bool, in_fee: int, bonus: int, off: int) -> None:
        """Fees, a bonus at most as high among them; seldom nothing more is taken in."""
        b = self.b
        token, provider = (b.other.token, b.other.provider) if other else (b.core.token, b.core.vault)
        changed = config(provider, in_fee, -min(in_fee, bonus), inputOff=off == 0)
        self.module("configure", lambda: b.basket.configureToken(token, changed, sender=b.governance), "govern")

    @act(fee=st.integers(1, 100))
    def set_lp_fee(self, fee: int) -> None:
        self.module("set lp fee", lambda: self.b.basket.setLpFee(fee, sender=self.b.governance), "govern")

    @act(which=st.integers(0, 2), seconds=st.integers(1, 14 * DAY), on=st.integers(0, 9))
    def cut_off(self, which: int, seconds: int, on: int) -> None:
        """One token or both."""
        b = self.b
        tokens = [[b.core.token], [b.other.token], [b.core.token, b.other.token]][which]
        if on == 0:
            self.module("cut off", lambda: b.basket.cutOff(tokens, seconds, sender=b.governance), "govern")
        else:
            self.module("restore", lambda: b.basket.restore(tokens, sender=b.governance), "govern")

    @act()
    def list_another(self) -> None:
        """Or strike it off the list again."""
        b, token = self.b, self.b.spare.token
        if len(b.basket.tokens()) == 3:
            self.module("remove token", lambda: b.basket.removeToken(token, sender=b.governance), "govern")
        else:
            listed = config(b.spare.provider)
            self.module("add token", lambda: b.basket.addToken(token, listed, sender=b.governance), "govern")

    @act(weight=3)
    def accept(self) -> None:
        """After a leap governance looks and goes on."""
        b = self.b
        self.module("accept", lambda: b.other.provider.accept(0, INFINITE, sender=b.governance), "govern")

    @act(right=st.integers(0, 2))
    def prove(self, right: int) -> None:
        """What stands behind a proxy an hour ago; now and then it is something else."""
        b = self.b
        proof = b.proof(b.logic.address if right else b.stranger.address)
        self.module("prove", lambda: b.proven.proveImplementation(*proof, sender=b.stranger), "govern")

    @act(weight=2, rise=st.one_of([st.integers(0, 10**14)] * 5 + [st.just(10**17)]))
    def poke(self, rise: int) -> None:
        """The other token earns and reports; its provider records, the basket looks at all tokens."""
        b = self.b
        b.other.set_rate(b.other.provider.reading()[1] + rise)
        b.other.report()
        self.module("poke", lambda: b.other.provider.poke(sender=b.stranger))
        self.module("sync", lambda: b.basket.sync(sender=b.stranger), "poke")

    # --- What must hold ---

    def check(self) -> None:
        a, b = self.a, self.b
        must_agree(a.books(), b.books())
        must_agree(told(a), b.feeds())
        if self.mirrored:
            places = [each.address for each in (*a.users, a.treasury, a.stranger)] + b.modules
            must_agree(a.holdings(places), b.holdings(places))


class ModulesAlone(TwoWorlds):
    """World A sees nothing of what modules do."""

    mirrored = False


LIFE: list[tuple[str, tuple[Any, ...]]] = [
    # core
    ("stake", (0, 3 * ETHER)),
    ("transfer", (0, 1, 99)),
    ("request", (1, 2 * ETHER)),
    # instant pool
    ("sell", (0, 20 * ETHER)),
    ("sell_for", (1, 9_000)),
    ("sell_with_permit", (2, ETHER)),
    ("sell_for_with_permit", (2, 1)),
    ("sell_request", (0, True, False)),
    ("sell_request", (1, False, True)),
    ("stake_here", (0, 500 * ETHER)),
    ("pay_the_core", (0, 0, 0, 9_999)),
    ("pay_the_core", (1, 1, 0, 9_999)),
    ("pay_the_core", (0, 2, 1, 9_999)),
    ("pay_the_core", (2, 3, 2, 9_999)),
    ("sell_for", (0, 60_000)),
    ("replenish", ()),
    ("add", (1, ETHER, 2 * ETHER)),
    ("remove", (0, 20_000)),
    ("remove", (1, 2**16)),
    ("liquidity_token", (0, 1, False, 0, 9)),
    ("liquidity_token", (0, 1, False, 1, 9)),
    ("liquidity_token", (0, 2, False, 2, 9)),
    ("set_terms", (1, 20, 5_000, 100)),
    ("pay_treasury", ()),
    ("set_treasury", (1,)),
    ("pause", (DAY, 0)),
    ("remove", (0, 9)),
    ("pause", (DAY, 1)),
    # basket
    ("swap", (0, False, ETHER, False)),
    ("swap", (1, True, ETHER, True)),
    ("fund", (0, ETHER)),
    ("configure", (True, 50, 50, 1)),
    ("configure", (False, 50, 50, 1)),
    ("swap", (1, True, ETHER, False)),
    ("rebalance", (False, ETHER, True, 1)),
    ("rebalance", (True, ETHER, False, 1)),
    ("rebalance", (True, ETHER, False, 0)),
    ("release_incentive", ()),
    ("basket_remove", (1, False, 999)),
    ("basket_remove_all", (2, 999)),
    ("basket_collect", (2, 9_999)),
    ("liquidity_token", (1, 0, True, 0, 99)),
    ("liquidity_token", (1, 2, True, 1, 99)),
    ("liquidity_token", (1, 0, True, 2, 99)),
    ("set_lp_fee", (5,)),
    ("cut_off", (2, DAY, 0)),
    ("cut_off", (2, DAY, 1)),
    ("list_another", ()),
    ("list_another", ()),
    *(("set_authority", (which, 0)) for which in range(3)),
    # farm
    ("add_stream", (0, 0, 3, ETHER, 1)),
    ("add_stream", (1, 0, 0, ETHER, 9)),
    ("enable", (0, 0, 4)),
    ("enable", (0, 0, 5)),
    ("farm_stake_with_permit", (0, 0, ETHER)),
    ("farm_stake", (2, 0, ETHER, False)),
    # time, reports, payments
    ("earn", (ETHER // GWEI,)),
    ("pass_time", (DAY,)),
    ("tip", (3 * ETHER,)),
    ("prove", (1,)),
    ("finalize", (100,)),
    ("collect", (5,)),
    ("pay_the_core", (1, 0, 3, 0)),
    ("claim_rest", (0,)),
    ("claim", (0,)),
    ("poke", (10**13,)),
    ("farm_claim", (0,)),
    ("farm_unstake", (0, 0, 9_999)),
    ("disable", (0, 0, 0, True)),
    ("farm_exit", (2, 2, True)),
    ("pass_time", (3 * DAY,)),
    ("farm_exit", (0, 0, False)),
    ("reclaim", (3,)),
    ("note_slashing", (0,)),
    ("lose", (999,)),
    ("poke", (10**17,)),
    ("accept", ()),
    ("prove", (0,)),
    ("settle", (1,)),
]
"""One of each kind at least: what a short run of random lives may miss."""


@cache
def lived(kind: type[TwoWorlds]) -> TwoWorlds:
    """After that life."""
    worlds = kind(ape.project, Counter())
    worlds.check()
    for name, args in LIFE:
        getattr(worlds, name)(*args)
        worlds.check()
    return worlds


def play(kind: type[TwoWorlds]) -> Counter[str]:
    """Random lives, and what came to pass in them."""
    done: Counter[str] = Counter()
    plans = st.lists(st.one_of(ACTIONS), min_size=40, max_size=120)

    @settings(max_examples=400 if DEEP else 4, suppress_health_check=list(HealthCheck))
    @given(assets=amounts, shares=amounts, plan=plans)
    def live(assets: int, shares: int, plan: list[Drawn]) -> None:
        worlds = kind(ape.project, done, assets, shares)
        worlds.check()
        for name, drawn in plan:
            getattr(worlds, name)(**drawn)
            worlds.check()

    live()
    return done


ALWAYS = {"stake", "transfer", "request", "finalize", "claim", "earn", "tip", "lose", "touch", "note"}
ALWAYS |= {
    "sell",
    "sell_for",
    "sell_with_permit",
    "sell_for_with_permit",
    "sell_request",
    "send_request",
    "stake_here",
    "add",
    "remove",
}
ALWAYS |= {"collect", "claim_rest", "pay_treasury", "set terms", "set treasury", "pause", "resume"}
ALWAYS |= {"liquidity token", "approve", "permit", "transfer from"}
ALWAYS |= {
    "swap in",
    "swap out",
    "basket add",
    "basket remove",
    "basket remove all",
    "basket collect",
    "fund",
    "release",
}
ALWAYS |= {"rebalance", "sale while rebalancing", "configure", "set lp fee", "cut off", "restore"}
ALWAYS |= {"add token", "remove token", "accept", "prove", "poke"}
ALWAYS |= {f"authority of {name}" for name in ("InstantPool", "LstBasket", "RateProvider")}
ALWAYS |= {"add stream", "farm", "farm by permit", "enable", "disable", "farm claim", "unstake", "reclaim"}
ALWAYS |= {"exit", "exit with rewards", "exit at once"}
MIRRORED = {"replenish", "pay the core"}
"""What is left out where world A sees nothing of modules."""
SELDOM = {"claim_rest", "enable", "disable", "exit with rewards", "reclaim"}
"""What needs much before it; a hundred random lives may have none of it, and {LIFE} has all."""


def must_have_done(wanted: set[str], done: Counter[str]) -> None:
    missing = wanted - (+done).keys()
    assert not missing, f"{missing} never came to pass: {done}"


def test_H3_no_module_call_moves_the_core():
    """W4: every book of the core, and what each account has in it, to the wei."""
    must_have_done(ALWAYS | MIRRORED, lived(TwoWorlds).done)
    done = play(TwoWorlds)
    must_have_done((ALWAYS | MIRRORED) - SELDOM if DEEP else set(), done)


def test_H3_who_only_holds_has_no_less_for_what_is_done_in_modules():
    """W4: calls that bring the core no ether and take none from it might as well not be there, to the wei."""
    must_have_done(ALWAYS, lived(ModulesAlone).done)
    done = play(ModulesAlone)
    must_have_done(ALWAYS - SELDOM if DEEP else set(), done)


# --- That nothing is left out ---


def family(name: str) -> str:
    """Rate providers of baskets differ in what they read alone."""
    return "RateProvider" if (PROVIDERS / f"{name}.sol").exists() else name


CONTRACTS = Path(__file__).resolve().parents[2] / "contracts"
PROVIDERS = CONTRACTS / "liquidity" / "providers"
WITHIN = {
    "InstantPool.onERC721Received": "send_request",  # called by the queue
    "InstantPool.receive": "collect",  # by the queue
    "InstantPool.setAuthority": "authority of InstantPool",  # by the manager
    "LstBasket.setAuthority": "authority of LstBasket",
    "RateProvider.setAuthority": "authority of RateProvider",
    "LstBasket.rebalance": "rebalance",  # by code of the rebalancer
    "Farm.payReward": "exit with rewards",  # by the farm itself
}
"""Functions that users reach through another contract, and what is done when they do."""


def changing(kind: Any) -> set[str]:
    """Functions of a contract that are no views."""
    found = {each.name for each in kind.methods if each.stateMutability not in ("view", "pure")}
    return found | {each.type for each in kind.abi if each.type in ("receive", "fallback")}


def test_every_function_that_changes_something_is_among_what_is_done():
    """By the ABIs of all modules and feeds, so that one which is added is not forgotten."""
    worlds = lived(TwoWorlds)
    files = [*(CONTRACTS / "liquidity").rglob("*.sol"), *(CONTRACTS / "feeds").glob("*.sol")]
    there: set[str] = set()
    for name in (path.stem for path in files):
        there |= {f"{family(name)}.{each}" for each in changing(ape.project.contracts[name].contract_type)}
    done = worlds.b.called() | {name for name, act_ in WITHIN.items() if worlds.done[act_]}
    assert there == done
    assert not worlds.b.called() & WITHIN.keys()


# --- That the comparison bites ---


def burn_through_the_queue(b: WithModules) -> None:
    """As a module would that a holder trusted with its slETH."""
    module = b.users[0]
    b.core.token.approve(module, INFINITE, sender=b.passive)
    b.core.token.transferFrom(b.passive, module, ETHER, sender=module)
    b.core.queue.request(ETHER, module, sender=module)
    b.core.touch()
    b.core.queue.finalize(b.core.queue.lastRequestId(), sender=module)


def take_a_wei(b: WithModules) -> None:
    b.core.token.approve(b.users[0], 1, sender=b.passive)
    b.core.token.transferFrom(b.passive, b.users[1], 1, sender=b.users[0])


def spoil_a_word(b: WithModules) -> None:
    """A wei more that is pooled."""
    word = b.process.evm.storage(b.core.vault.address, 1)
    b.process.evm.insert_account_storage(b.core.vault.address, 1, word + 1)


@pytest.mark.parametrize(
    ("deed", "book"),
    [
        (burn_through_the_queue, "supply"),
        (take_a_wei, "passive holder"),
        (spoil_a_word, "vault's storage"),
        (lambda b: b.core.stake(b.users[0], 1_000), "pooled"),
        (lambda b: b.core.queue.request(MIN_REQUEST, b.users[0], sender=b.users[0]), "open shares"),
        (lambda b: b.report(0, 0), "referenceTime"),
        (lambda b: b.report(1, 0), "unvested"),
        (lambda b: b.report(-1, 0), "rate"),
        (lambda b: b.core.vault.noteSlashing(sender=b.governance), "slashingPendingUntil"),
    ],
)
def test_the_comparison_sees(deed, book):
    a, b = CoreAlone(ape.project), WithModules(ape.project)
    must_agree(a.books(), b.books())
    must_agree(told(a), b.feeds())
    deed(b)
    with pytest.raises(AssertionError, match=f"differs: .*{book}'?\"?: "):
        must_agree(a.books(), b.books())


def stake(b: WithModules) -> None:
    b.pool.contract.stake(b.users[0], 0, ZERO, sender=b.users[0], value=200 * ETHER)


def give_to_the_rewards(b: WithModules) -> None:
    b.pool.contract.sellFor(ETHER, INFINITE, b.core.rewards_vault, FOREVER, sender=b.users[0])


@pytest.mark.parametrize(("deed", "kind"), [(stake, "stake"), (give_to_the_rewards, "gift")])
def test_what_a_call_may_not_do_in_the_core_is_seen(deed, kind):
    """A pool that stakes, or gives away, where it should sell."""
    worlds = TwoWorlds(ape.project, Counter())
    with pytest.raises(AssertionError, match=rf"sell did .*{kind}"):
        worlds.module("sell", lambda: deed(worlds.b))
    worlds = ModulesAlone(ape.project, Counter())
    with pytest.raises(AssertionError, match="ether came into the core or will go out"):
        worlds.module("sell", lambda: deed(worlds.b), "pay the core")


def test_a_module_that_touches_who_only_holds_is_seen():
    """Whatever its calls are allowed to do."""
    worlds = TwoWorlds(ape.project, Counter())
    with pytest.raises(AssertionError, match="a module touched who only holds"):
        worlds.module("sell", lambda: take_a_wei(worlds.b))
