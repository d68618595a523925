"""Plan -> show -> confirm -> send -> record -> verify.

A run can be stopped at any point and started again: what is on the chain already is found there, checked and kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, cast

from eth_utils.crypto import keccak

from sluice.deploy.abi import decode_result, plain
from sluice.deploy.addresses import CREATE2_DEPLOYER
from sluice.deploy.catalog import Resolved
from sluice.deploy.chain import Reverted
from sluice.deploy.errors import ChainError, DeploymentError, RegistryError
from sluice.deploy.plan import Configure, Deploy, make_plan
from sluice.deploy.registry import ContractRecord, Registry, StepRecord
from sluice.deploy.verify import verify

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from sluice.deploy.artifacts import Artifact
    from sluice.deploy.chain import Reader, Receipt, Sender
    from sluice.deploy.params import Params
    from sluice.deploy.plan import Check, Evidence, Plan, Step
    from sluice.deploy.verify import Finding


class Status(Enum):
    RECORDED = "recorded"
    FOUND = "found"
    """On the chain, not recorded yet."""
    TODO = "to send"


@dataclass(frozen=True)
class Outcome:
    step: Step
    status: Status  # before the run
    receipt: Receipt | None


@dataclass(frozen=True)
class Job:
    """What a run would do, shown before it begins."""

    plan: Plan
    registry: Registry
    path: Path
    statuses: tuple[Status, ...]
    restarted: bool
    """The recorded local chain is gone; everything begins anew."""

    @property
    def todo(self) -> tuple[Step, ...]:
        pairs = zip(self.plan.steps, self.statuses, strict=True)
        return tuple(step for step, status in pairs if status is Status.TODO)


@dataclass(frozen=True)
class Result:
    plan: Plan
    registry: Registry
    sent: int
    findings: tuple[Finding, ...]

    @property
    def differences(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if not finding.ok)


def prepare(params: Params, artifacts: Mapping[str, Artifact], reader: Reader, deployer: str, path: Path) -> Job:
    """Read everything, change nothing. Refuses what does not fit together."""
    if (chain_id := reader.chain_id()) != params.chain_id:
        raise ChainError(
            f"the chain has id {chain_id}, the parameters of {params.network!r} are for {params.chain_id}: "
            "choose another --network or --params"
        )
    if not reader.code(CREATE2_DEPLOYER):
        raise ChainError(
            f"the CREATE2 deployer {CREATE2_DEPLOYER} is not on this chain. Send its published transaction first: "
            "https://github.com/Arachnid/deterministic-deployment-proxy"
        )
    for name, address in params.external.model_dump().items():
        if address is not None and not reader.code(address):
            hint = ": install it first (sluice.chain.system_contracts)" if params.local else ""
            raise ChainError(f"external.{name}: there is no contract at {address}{hint}")

    registry, restarted = _open_registry(params, reader, deployer, path)
    plan = make_plan(params, Resolved(registry.genesis_time), artifacts, deployer)
    statuses = tuple(_status(step, registry, reader) for step in plan.steps)
    if not path.exists() and Status.FOUND in statuses:
        registry.first_block = 0  # the record is lost, and with it where to begin to look for logs
    return Job(plan, registry, path, statuses, restarted)


def require_chain(params: Params, registry: Registry, reader: Reader) -> None:
    """That the connected chain is the one where `registry` was recorded."""
    if (chain_id := reader.chain_id()) != registry.chain_id or params.network != registry.network:
        raise ChainError(
            f"the chain has id {chain_id}, the deployment is recorded for {registry.network!r} with id "
            f"{registry.chain_id}: choose another --network or --params"
        )
    if reader.genesis_hash() != registry.genesis_hash:
        hint = " (a chain that ape starts itself ends with the command: use `make chain`)" if params.local else ""
        raise ChainError(f"the chain is not the one that is recorded: run `ape run deploy` on it first{hint}")
    if not registry.complete:
        raise RegistryError("the recorded deployment was not finished: run `ape run deploy` again")


def verify_recorded(
    params: Params, artifacts: Mapping[str, Artifact], reader: Reader, path: Path
) -> tuple[Finding, ...]:
    """Compare a recorded deployment with the chain. Reads only."""
    registry = Registry.read(path)
    require_chain(params, registry, reader)
    if registry.params_hash != params.hash:
        raise RegistryError(
            f"the parameters have changed since the deployment: {registry.params_hash}, now {params.hash}"
        )
    plan = make_plan(params, Resolved(registry.genesis_time), artifacts, registry.deployer)
    return tuple(verify(plan, registry, reader))


def deploy(
    params: Params,
    artifacts: Mapping[str, Artifact],
    reader: Reader,
    sender: Sender,
    path: Path,
    *,
    confirm: Callable[[Job], bool] = lambda _: True,
    on_step: Callable[[Outcome], None] = lambda _: None,
) -> Result:
    job = prepare(params, artifacts, reader, sender.address, path)
    if job.todo:
        if reader.pending_transactions(sender.address):
            raise ChainError(
                f"{sender.address} has transactions that are not in a block yet: wait for them, then run again"
            )
        needed = sum(step.value for step in job.todo)
        if (balance := reader.balance(sender.address)) <= needed:
            raise ChainError(
                f"{sender.address} holds {balance} wei and needs more than {needed} wei: the seeds and gas"
            )
        if not confirm(job):
            raise DeploymentError("stopped before the first transaction; nothing was sent")
    registry = job.registry
    registry.write(path)
    sent = 0
    for step, status in zip(job.plan.steps, job.statuses, strict=True):
        receipt: Receipt | None = None
        if status is Status.FOUND:
            receipt = _find(step, registry, reader)
        elif status is Status.TODO:
            receipt = _send(step, sender)
            sent += 1
        if status is not Status.RECORDED:
            _record(job.plan, step, receipt, registry, reader)
            registry.write(path)
        on_step(Outcome(step, status, receipt))
    if not registry.complete:
        registry.complete = True
        registry.write(path)
    return Result(job.plan, registry, sent, tuple(verify(job.plan, registry, reader)))


def _open_registry(params: Params, reader: Reader, deployer: str, path: Path) -> tuple[Registry, bool]:
    genesis = reader.genesis_hash()
    number, timestamp = reader.head()
    fresh = Registry(
        network=params.network,
        chain_id=params.chain_id,
        genesis_hash=genesis,
        params_hash=params.hash,
        deployer=deployer,
        genesis_time=timestamp if params.oracle.genesis_time == "deployment" else params.oracle.genesis_time,
        first_block=number,
    )
    if not path.exists():
        return fresh, False
    recorded = Registry.read(path)
    gone = sorted(name for name, record in recorded.contracts.items() if not reader.code(record.address))
    if params.local and recorded.network == params.network and (recorded.genesis_hash != genesis or gone):
        return fresh, True
    for what, was, now in (
        ("network", recorded.network, params.network),
        ("chain id", recorded.chain_id, params.chain_id),
        ("genesis block", recorded.genesis_hash, genesis),
        ("deployer", recorded.deployer, deployer),
        ("hash of the parameters", recorded.params_hash, params.hash),
    ):
        if was != now:
            raise RegistryError(
                f"{path} records a deployment with another {what}: {was}, now {now}. "
                "Go back to what was recorded, or deploy elsewhere (another network name and file)"
            )
    if gone:
        raise RegistryError(f"{path} records {', '.join(gone)}, but the chain has no code there")
    return recorded, False


# --- One step ---


def _status(step: Step, registry: Registry, reader: Reader) -> Status:
    if isinstance(step, Configure):
        if step.name in registry.configuration:
            return Status.RECORDED
        return Status.FOUND if all(_holds(check, reader) for check in step.done) else Status.TODO

    code = reader.code(step.address)
    record = registry.contracts.get(step.name)
    if record is not None:
        _compare(step, record, code)
        return Status.RECORDED
    if not code:
        return Status.TODO
    _require_code(step, code)
    return Status.FOUND


def _holds(check: Check, reader: Reader) -> bool:
    try:
        answer = reader.call(check.to, check.call)
    except Reverted:
        return False
    if not answer:  # no contract there yet
        return False
    values = [plain(value) for value in decode_result(check.function, answer)]
    return (values[0] if len(values) == 1 else values) == check.expected


def _compare(step: Deploy, record: ContractRecord, code: bytes) -> None:
    for what, was, now in (
        ("address", record.address, step.address),
        ("creation code", record.creation_hash, step.artifact.creation_hash),
        ("code on the chain", record.code_hash, _hash(code)),
        ("constructor arguments", record.constructor_args, plain(step.arguments)),
    ):
        if was != now:
            raise RegistryError(
                f"{step.name}: the {what} is not what was recorded: {was}, now {now}. "
                "Sources, compiler settings or the chain have changed since"
            )


def _require_code(step: Deploy, code: bytes) -> None:
    if not step.artifact.matches(code):
        raise ChainError(
            f"{step.name}: the code at {step.address} is not the compiled contract ({len(code)} bytes there, "
            f"{len(step.artifact.runtime)} compiled). Compile what was deployed, or change salt_namespace"
        )


def _send(step: Step, sender: Sender) -> Receipt:
    try:
        receipt = sender.send(step.to, step.data, step.value)
    except ChainError as error:
        raise ChainError(f"{step.name}: {error}") from error
    if not receipt.success:
        raise ChainError(f"{step.name}: transaction {receipt.tx_hash} failed on the chain")
    return receipt


def _find(step: Step, registry: Registry, reader: Reader) -> Receipt | None:
    """The transaction of a step that a run before this one sent and could not record."""
    evidence: Evidence | None = step.evidence
    if evidence is None:
        return None
    logs = reader.logs(evidence.address, registry.first_block, evidence.topics)
    return reader.receipt(logs[0].tx_hash) if logs else None


def _record(plan: Plan, step: Step, receipt: Receipt | None, registry: Registry, reader: Reader) -> None:
    mined = {
        "tx_hash": receipt.tx_hash if receipt else None,
        "block": receipt.block if receipt else None,
        "gas_used": receipt.gas_used if receipt else None,
    }
    if isinstance(step, Configure):
        registry.configuration[step.name] = StepRecord.model_validate(mined)
        return
    code = reader.code(step.address)
    if not code:
        raise ChainError(f"{step.name}: there is no code at {step.address} after its transaction")
    _require_code(step, code)
    registry.contracts[step.name] = ContractRecord.model_validate(
        {
            "address": step.address,
            "creation_hash": step.artifact.creation_hash,
            "code_hash": _hash(code),
            "constructor_args": cast("dict[str, object]", plain(step.arguments)),
            "salt": "0x" + step.salt.hex(),
            **mined,
        }
    )
    for name in plan.children.get(step.name, ()):
        address = plan.addresses[name]
        registry.contracts[name] = ContractRecord(address=address, code_hash=_hash(reader.code(address)))


def _hash(code: bytes) -> str:
    return "0x" + keccak(code).hex()
