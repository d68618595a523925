"""Stake in the farm, take what was earned, and add streams for others to earn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click
from ape.cli import account_option, ape_cli_context

from scripts._markets import chain_of
from scripts._session import (
    PATIENCE,
    ApeSender,
    NodeCommand,
    common_options,
    console,
    explained,
    open_session,
    transactions,
    typed,
)
from sluice.client import NEXT_STEPS, ActionError, format_ether
from sluice.markets.farming import LP, SLETH, WETH, Farm, Stream, Token
from sluice.units import SECONDS_PER_DAY, when

if TYPE_CHECKING:
    from ape.api import AccountAPI, ProviderAPI

EPILOG = """
\b
Examples (with --network http://127.0.0.1:8545):
  ape run farm                                 # streams, and what the account has in them
  ape run farm add 30 --reward weth --days 30  # 30 ether for who stakes shares of the instant pool
  ape run farm stake 5                         # of the pool's shares; `ape run provide` gets some
  ape run farm stake all --token sleth --stream 3
  ape run farm choose --stream 4               # the stake counts for that stream, too
  ape run farm claim
  ape run farm exit 2                          # a part; what it has earned stays to be claimed
  ape run farm exit                            # all, and its rewards
  ape run farm list --account TEST::8          # as another account sees it
  ape run farm add 9 --reward 0x... --token sleth --in 60    # of any token, from an hour from now on
  ape run farm reclaim                         # of your streams that are over, what nobody could earn
"""
MINUTE = 60
TAKES = {
    "token": ("stake", "choose", "exit", "add"),
    "streams": ("stake", "choose", "claim", "reclaim"),
    "reward": ("add",),
    "days": ("add",),
    "begins": ("add",),
}
"""Actions that have a use for an option, by its parameter."""


class Wish(NamedTuple):  # ape runs scripts outside of sys.modules, where dataclasses look for their annotations
    """What was typed, beside the action."""

    amount: str | None
    token: Token
    streams: tuple[int, ...]
    reward: Token
    days: int
    begins: int
    """Minutes from now."""
    yes: bool

    def confirm(self, question: str) -> None:
        if not self.yes:
            click.confirm(question, abort=True)


def tell(farm: Farm, stream: Stream, now: int, owner: str, chosen: Sequence[int]) -> None:
    yearly = farm.yearly(stream)
    if stream.end <= now:
        time = f"was over {when(stream.end)}"
    elif stream.start > now:
        time = f"{when(stream.start)} to {when(stream.end)}"
    else:
        time = f"until {when(stream.end)}"
    earned = farm.earned(stream.id, owner)
    daily = stream.per_day and stream.end - stream.start >= SECONDS_PER_DAY
    pays = f"{stream.reward.show(stream.per_day)} a day" if daily else f"{stream.reward.show(stream.amount)} in all"
    console.print(
        f"Stream {stream.id}: {pays} for stakes of {stream.stake.label}, {time}; "
        f"{stream.stake.show(stream.eligible)} share it"
        + (f", {float(yearly):,.2%} a year" if yearly is not None and stream.end > now else "")
        + ("; chosen" if stream.id in chosen else "")
        + (f"; earned {stream.reward.show(earned)}" if earned else "")
        + "."
    )


def show(farm: Farm, sender: ApeSender, _: Wish) -> None:
    owner, now = sender.address, sender.next_time()
    mine = farm.ever_chosen(owner)
    streams = [farm.stream(each) for each in sorted({*farm.newest(), *mine})]
    known = (farm.token("lp"), farm.token("sleth"), *(each.stake for each in streams), *farm.ever_staked(owner))
    tokens = {each.address: each for each in known}
    chosen = [each for token in tokens.values() for each in farm.chosen(token, owner)]
    shown = [each for each in streams if each.end > now or farm.earned(each.id, owner)]
    for stream in shown:
        tell(farm, stream, now, owner, chosen)
    if not shown:
        console.print("No stream pays now: `ape run farm add` adds one.")
    stakes = [token.show(amount) for token in tokens.values() if (amount := farm.staked(token, owner))]
    console.print(f"{owner} has staked {' and '.join(stakes) or 'nothing'}.")


def stake(farm: Farm, sender: ApeSender, wish: Wish) -> None:
    owner, token = sender.address, wish.token
    held = farm.chain.balance(token.address, owner)
    if wish.amount is None:
        raise ActionError("Say how much: `ape run farm stake 5`, or `all`.")
    amount = held if wish.amount == "all" else token.parse(wish.amount, "AMOUNT")
    if not held:
        raise ActionError(f"{owner} holds no {token.label}: {SOURCES.get(token.name or '', '')}see --token.")
    if amount > held:
        raise ActionError(f"{owner} holds {token.show(held)}: stake that much or less, or see --token.")
    ids = chosen_for(farm, sender, wish)
    console.print(f"{token.show(amount)} are staked" + (f" and count for {named(ids)}." if ids else "."))
    now = sender.next_time()
    if not ids and not any(farm.stream(each).end > now for each in farm.chosen(token, owner)):
        console.print("No stream that pays slETH, WETH or slLP is for it: it earns nothing yet.", style="yellow")
    wish.confirm("Stake?")
    deadline, permit = sender.next_time() + PATIENCE, None
    # only of the protocol's own tokens is it known what their permits look like
    if token.name in (SLETH, LP) and farm.chain.allowed(token.address, owner, farm.contract.address) < amount:
        permit = sender.sign(farm.chain.permit(token.address, owner, farm.contract.address, amount, deadline))
    receipt = farm.stake(sender, token, amount, ids, deadline, permit)
    console.print(
        f"{owner} has staked {token.show(farm.staked(token, owner))} ({receipt.gas_used:,} gas, {receipt.tx_hash})."
    )


SOURCES = {LP: "`ape run provide` first, or ", SLETH: "`ape run stake` first, or "}
"""Where the protocol's own tokens come from."""


def chosen_for(farm: Farm, sender: ApeSender, wish: Wish) -> list[int]:
    """Streams that the stake does not count for yet: those that were typed, or the best."""
    if not wish.streams:
        return [each.id for each in farm.worth_choosing(wish.token, sender.address, sender.next_time())]
    already = farm.chosen(wish.token, sender.address)
    return [each for each in dict.fromkeys(wish.streams) if each not in already]


def choose(farm: Farm, sender: ApeSender, wish: Wish) -> None:
    ids = chosen_for(farm, sender, wish)
    if not ids and wish.streams:
        raise ActionError(f"{named(list(dict.fromkeys(wish.streams))).capitalize()}: {NEXT_STEPS['StreamEnabled']}")
    if not ids:
        raise ActionError(f"There is no other stream to choose for {wish.token.label}: `ape run farm` lists them.")
    now = sender.next_time()
    for each in ids:
        tell(farm, farm.stream(each), now, sender.address, ())
    wish.confirm("Choose?")
    receipt = farm.choose(sender, wish.token, ids)
    console.print(f"The stake counts for {named(ids)} ({receipt.gas_used:,} gas, {receipt.tx_hash}).")


def claim(farm: Farm, sender: ApeSender, wish: Wish) -> None:
    earning = farm.earning(sender.address)
    if wish.streams:
        earning = {each: farm.earned(each, sender.address) for each in wish.streams}
    if not any(earning.values()):
        raise ActionError(f"{sender.address} has earned nothing that it has not claimed.")
    for each, amount in earning.items():
        console.print(f"Stream {each}: {farm.stream(each).reward.show(amount)}.")
    wish.confirm("Claim?")
    receipt = farm.claim(sender, list(earning))
    told_of_claims(farm, sender.address, receipt.block)
    console.print(f"Claimed ({receipt.gas_used:,} gas, {receipt.tx_hash}).")


def leave(farm: Farm, sender: ApeSender, wish: Wish) -> None:
    owner, token = sender.address, wish.token
    staked = farm.staked(token, owner)
    if not staked:
        raise ActionError(f"{owner} has staked no {token.label}: see --token.")
    if wish.amount not in (None, "all") and (amount := token.parse(wish.amount, "AMOUNT")) != staked:
        leave_in_part(farm, sender, wish, amount, staked)
        return
    console.print(f"{token.show(staked)} are taken out, and what they have earned is claimed.")
    wish.confirm("Exit?")
    receipt = farm.exit(sender, token)
    told_of_claims(farm, owner, receipt.block)
    console.print(f"{token.show(staked)} came back ({receipt.gas_used:,} gas, {receipt.tx_hash}).")
    for each in farm.contract.events("ClaimFailed", None, owner, first_block=receipt.block):
        console.print(f"Stream {each['id']} could not pay; it is still owed.", style="yellow")
    tell_unclaimed(farm, owner)


def leave_in_part(farm: Farm, sender: ApeSender, wish: Wish, amount: int, staked: int) -> None:
    owner, token, least = sender.address, wish.token, int(farm.contract.read("MIN_STAKE"))
    if amount > staked:
        raise ActionError(f"{owner} has staked {token.show(staked)}: take out that much or less.")
    if staked - amount < least:
        raise ActionError(f"Less than {token.show(least)} would be left: take out all, with `ape run farm exit`.")
    console.print(
        f"{token.show(amount)} of {token.show(staked)} are taken out. The rest counts for its streams as before."
    )
    wish.confirm("Take out?")
    receipt = farm.unstake(sender, token, amount)
    console.print(f"{token.show(amount)} came back ({receipt.gas_used:,} gas, {receipt.tx_hash}).")
    tell_unclaimed(farm, owner)


def tell_unclaimed(farm: Farm, owner: str) -> None:
    if earning := farm.earning(owner):
        console.print(f"Still to claim, of {named(list(earning))}: `ape run farm claim`.")


def told_of_claims(farm: Farm, owner: str, block: int) -> None:
    for each in farm.contract.events("Claimed", None, owner, first_block=block):
        console.print(f"{farm.stream(each['id']).reward.show(each['amount'])} came from stream {each['id']}.")


def add(farm: Farm, sender: ApeSender, wish: Wish) -> None:
    owner, reward, token = sender.address, wish.reward, wish.token
    if wish.amount is None:
        raise ActionError("Say how much: `ape run farm add 30 --reward weth --days 30`.")
    amount = reward.parse(wish.amount, "AMOUNT")
    missing = max(0, amount - farm.chain.balance(reward.address, owner))
    if missing:
        ether = farm.chain.reader.balance(owner)
        if reward.name != WETH:
            raise ActionError(f"{owner} lacks {reward.show(missing)}.")
        if ether <= missing:
            raise ActionError(f"{owner} holds {format_ether(ether)} ether and would wrap {format_ether(missing)}.")
    if amount < wish.days:
        raise ActionError(f"{reward.show(amount)} are too little for {wish.days} days.")
    per_day = reward.show(amount // wish.days)
    console.print(
        f"{reward.show(amount)} for who stakes {token.label}: {per_day} a day for {wish.days} days, from "
        f"{wish.begins} minutes from now on." + (f" {format_ether(missing)} ether are wrapped." if missing else "")
    )
    console.print("It cannot be taken back, but for the part of times in which nobody has chosen it.")
    approval = farm.chain.allowed(reward.address, owner, farm.contract.address) < amount
    wish.confirm(f"Send {transactions(1 + approval + bool(missing))}?")
    if missing:
        farm.weth.send(sender, "deposit", value=missing)
    start = sender.next_time() + wish.begins * MINUTE
    stream = farm.add(sender, token, reward, amount, start, start + wish.days * SECONDS_PER_DAY)
    console.print(f"Stream {stream} begins {when(start)}.")


def reclaim(farm: Farm, sender: ApeSender, wish: Wish) -> None:
    ids = wish.streams or farm.added_by(sender.address)
    due = {each: amount for each in ids if (amount := farm.contract.read("reclaimable", each))}
    if not due:
        raise ActionError("There is nothing to take back: only what nobody could earn, once a stream is over.")
    for each, amount in due.items():
        stream = farm.stream(each)
        console.print(f"Stream {each}: {stream.reward.show(amount)} go back to {stream.adder}.")
    wish.confirm("Send them?")
    for each in due:
        receipt = farm.contract.send(sender, "reclaim", each)
        console.print(f"Stream {each} is settled ({receipt.gas_used:,} gas, {receipt.tx_hash}).")


def named(ids: Sequence[int]) -> str:
    """`stream 1`, or `streams 6, 5 and 4`."""
    *first, last = (str(each) for each in ids)
    return f"streams {', '.join(first)} and {last}" if first else f"stream {last}"


def refuse_others(action: str, context: click.Context) -> None:
    """Options that were typed and that the action would not look at."""
    for option in context.command.params:
        actions = TAKES.get(option.name or "")
        if actions is None or action in actions:
            continue
        if typed(context, str(option.name)):
            raise ActionError(f"{option.opts[0]} goes with {', '.join(actions)}, not with {action}.")


ACTIONS: dict[str, Callable[[Farm, ApeSender, Wish], None]] = {
    "list": show,
    "stake": stake,
    "choose": choose,
    "claim": claim,
    "exit": leave,
    "add": add,
    "reclaim": reclaim,
}


@click.command(cls=NodeCommand, epilog=EPILOG, short_help="Stake for rewards; add rewards for others.")
@ape_cli_context()
@click.argument("action", type=click.Choice(list(ACTIONS)), default="list")
@click.argument("amount", required=False)
@click.option(
    "--token",
    default="lp",
    show_default=True,
    help="What is staked: lp (shares of the instant pool), sleth, weth or an address.",
)
@click.option(
    "--stream",
    "streams",
    type=click.IntRange(min=1),
    multiple=True,
    help="Number of a stream; may be given again.  [default: the best of those that pay slETH, WETH or slLP]",
)
@click.option("--reward", default="weth", show_default=True, help="For add: weth (wrapped for you), sleth, ...")
@click.option("--days", type=click.IntRange(1, 1_460), default=30, show_default=True, help="For add: how long.")
@click.option(
    "--in",
    "begins",
    type=click.IntRange(1, 525_600),
    default=10,
    show_default=True,
    help="For add: minutes from now until it starts.",
)
@click.option("--yes", is_flag=True, help="Do not ask before sending.")
@account_option(prompt=False)
@common_options
def cli(
    _cli_ctx: object,
    provider: ProviderAPI,
    action: str,
    amount: str | None,
    token: str,
    streams: tuple[int, ...],
    reward: str,
    days: int,
    begins: int,
    yes: bool,
    account: AccountAPI | None,
    params_path: Path,
    registry: Path | None,
) -> None:
    """Earn rewards that others stream to stakes, by share and by time.

    list shows the streams; stake and choose have a stake count for them, claim pays what it has earned. exit takes all
    out and claims; with AMOUNT it takes out a part, leaves the streams chosen and claims nothing. Anybody can add a
    stream of any token, and reclaim what nobody could earn when it is over.

    Tokens other than slETH, WETH and slLP are shown by their address: anybody can name a token anything.

    On a local chain the account is TEST::7 where none is given.
    """
    with explained():
        if amount is not None and action not in ("stake", "add", "exit"):
            raise ActionError(f"{action} takes no amount.")
        refuse_others(action, click.get_current_context())
        session = open_session(provider, params_path, registry, account, index=7)
        farm = Farm.at(chain_of(session), session.registry)
        wish = Wish(amount, farm.token(token), streams, farm.token(reward), days, begins, yes)
        ACTIONS[action](farm, session.sender, wish)
