"""Do the tests bite? Change the contracts one small thing at a time and see whether forge's unit tests notice.

    make mutate                                   # contracts/core
    make mutate ARGS="--sample 50 --seed 3"       # fifty of them
    make mutate ARGS="contracts/oracle"           # other files or folders
    make mutate ARGS="--survivors"                # ask the tests of today about yesterday's survivors

Works on copies below build/mutation; what was found out is kept there, so an interrupted run goes on where it was.
A mutant is compiled alone (tests import interfaces only), its bytecode replaces that of the artifact the tests deploy,
and forge runs without compiling anything. A mutant whose bytecode is that of the original changes nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "build" / "mutation"
TESTS = "tests/forge/unit/**"
NEEDED = (
    "contracts",
    "tests/forge/unit",
    "tests/forge/support",
    "tests/vectors/beacon/proofs.json",
    "foundry.toml",
    "sluice/chain/system_contracts.json",
)
LINKED = ("node_modules", ".toolchain")
# a library has no code of its own: its mutants show in the contract that uses it
SEEN_IN = {
    "contracts/libraries/DepositData.sol": "contracts/core/StakingVault.sol",
    "contracts/libraries/OwnerSignature.sol": "contracts/core/StakedEther.sol",
}
REMAPPINGS = ["@openzeppelin/contracts/=node_modules/@openzeppelin/contracts/", "solady/=node_modules/solady/src/"]


# --- What to change ---


@dataclass(frozen=True)
class Token:
    kind: str
    text: str
    start: int
    end: int


@dataclass(frozen=True)
class Mutant:
    path: str
    line: int
    operator: str
    start: int
    end: int
    after: str

    def apply(self, source: str) -> str:
        return source[: self.start] + self.after + source[self.end :]


TOKEN = re.compile(
    r"""(?P<comment>//[^\n]*|/\*.*?\*/)
    |(?P<string>(?:hex|unicode)?(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'))
    |(?P<number>0x[0-9a-fA-F]+|\d[\d_]*(?:\.\d+)?(?:e\d+)?)
    |(?P<word>[A-Za-z_$][\w$]*)
    |(?P<operator>>>=|<<=|\*\*|\+\+|--|\+=|-=|\*=|/=|%=|\|=|&=|\^=|:=|=>|==|!=|<=|>=|&&|\|\||<<|>>|[-+*/%<>=!&|^~?:])
    |(?P<mark>[()\[\]{};,.])
    |(?P<space>\s+)""",
    re.VERBOSE | re.DOTALL,
)
SWAPS = {
    "+": ["-"], "-": ["+"], "*": ["/"], "/": ["*"], "%": ["*"], "**": ["*"],
    "+=": ["-="], "-=": ["+="], "*=": ["/="], "/=": ["*="], "++": ["--"], "--": ["++"],
    "<<": [">>"], ">>": ["<<"], "&": ["|"], "|": ["&"],
    "<": ["<=", ">="], "<=": ["<", ">"], ">": [">=", "<="], ">=": [">", "<"],
    "==": ["!="], "!=": ["=="], "&&": ["||"], "||": ["&&"],
}  # fmt: skip
YUL = {"add": "sub", "sub": "add", "lt": "gt", "gt": "lt", "or": "and", "and": "or", "eq": "lt"}
WORDS = {"true": "false", "false": "true"}
COMPARISONS = {"<", "<=", ">", ">=", "==", "!="}
MODIFIERS = {"restricted", "onlyCaller", "notReporting"}
DECLARATION = re.compile(
    r"^(?:(?:u?int|bytes)\d*|bool|address|string|[A-Z]\w*)(?:\[\])?\s+(?:memory |storage |calldata )?\w+\s*[=;]"
)
BODIES = {"function", "constructor", "modifier", "receive", "fallback"}


def tokens_of(source: str) -> list[Token]:
    found = []
    for match in TOKEN.finditer(source):
        kind = str(match.lastgroup)
        if kind not in ("space", "comment"):
            found.append(Token(kind, match.group(), match.start(), match.end()))
    return found


def closing(tokens: list[Token], index: int) -> int:
    """Where the bracket at `index` is closed."""
    depth = 0
    for i in range(index, len(tokens)):
        if tokens[i].text in ("(", "[", "{"):
            depth += 1
        elif tokens[i].text in (")", "]", "}"):
            depth -= 1
            if depth == 0:
                return i
    raise ValueError("a bracket is not closed")


def mutants_of(path: str, source: str) -> list[Mutant]:
    tokens = tokens_of(source)
    made: list[Mutant] = []

    def add(operator: str, start: int, end: int, after: str) -> None:
        made.append(Mutant(path, source.count("\n", 0, start) + 1, operator, start, end, after))

    index = 0
    while index < len(tokens):
        word = tokens[index].text
        if word in ("contract", "library", "interface"):
            while tokens[index].text != "{":
                index += 1
        elif word in ("struct", "enum"):
            while tokens[index].text != "{":
                index += 1
            index = closing(tokens, index)
        elif word in BODIES:
            head = index
            while tokens[index].text not in ("{", ";"):
                if tokens[index].text == "(":
                    index = closing(tokens, index)
                index += 1
            _head(tokens[head:index], add)
            if tokens[index].text == "{":
                end = closing(tokens, index)
                _body(source, tokens[index : end + 1], add)
                index = end
        elif word == "constant":  # its value
            end = index
            while tokens[end].text != ";":
                end += 1
            _expressions(source, tokens[index:end], add, strings=False)
            index = end
        elif word in ("import", "using", "event", "error"):
            while tokens[index].text != ";":
                index += 1
        index += 1
    return list(dict.fromkeys(made))


def _head(tokens: list[Token], add: Any) -> None:
    for i, token in enumerate(tokens):
        if token.text in MODIFIERS and i > 1:
            end = i
            if i + 1 < len(tokens) and tokens[i + 1].text == "(":
                end = closing(tokens, i + 1)
            add("modifier removed", token.start, tokens[end].end, "")


def _body(source: str, tokens: list[Token], add: Any) -> None:
    _expressions(source, tokens, add)
    index = 0
    fresh = False  # at the beginning of a statement
    while index < len(tokens):
        token = tokens[index]
        options = token.text == "{" and index + 2 < len(tokens) and tokens[index + 2].text == ":" and not fresh
        if token.text in ("(", "[") or options:
            index = closing(tokens, index) + 1
            fresh = False
            continue
        if token.text in ("{", "}", ";") or token.text in ("else", "unchecked"):
            fresh = True
            index += 1
            continue
        if not fresh:
            index += 1
            continue
        fresh = False
        if token.text == "assembly":
            while tokens[index].text != "{":
                index += 1
            end = closing(tokens, index)
            _assembly(source, tokens[index : end + 1], add)
            index = end
        elif token.text in ("if", "while", "for"):
            end = closing(tokens, index + 1)
            signs = [item.text for item in tokens[index + 2 : end] if item.kind == "operator"]
            if token.text != "for" and not (
                len(signs) == 1 and signs[0] in COMPARISONS
            ):  # else swapping it is the same
                condition = source[tokens[index + 1].end : tokens[end].start]
                add("condition negated", tokens[index + 1].end, tokens[end].start, f"!({condition})")
            if token.text == "if":
                stop = _statement_end(tokens, end + 1)
                if stop + 1 < len(tokens) and tokens[stop + 1].text != "else":
                    add("statement deleted", token.start, tokens[stop].end, "")
            index = end + 1
            fresh = token.text != "if" or tokens[index].text in ("{", "if")  # a lone statement is the whole `if`
            continue
        elif token.text == "try":
            stop = index
            for _ in range(2):
                while tokens[stop].text != "{":
                    stop += 1
                stop = closing(tokens, stop)
            add("statement deleted", token.start, tokens[stop].end, "")
            index = stop
            fresh = True
        elif token.text not in ("return", "_"):
            stop = _statement_end(tokens, index)
            if not DECLARATION.match(source[token.start :]):
                add("statement deleted", token.start, tokens[stop].end, "")
        index += 1


def _statement_end(tokens: list[Token], index: int) -> int:
    if tokens[index].text == "{":
        return closing(tokens, index)
    while tokens[index].text != ";":
        if tokens[index].text in ("(", "[", "{"):
            index = closing(tokens, index)
        index += 1
    return index


def _assembly(source: str, tokens: list[Token], add: Any) -> None:
    for token in tokens:
        if token.kind == "word" and token.text in YUL:
            add("assembly function", token.start, token.end, YUL[token.text])
    start, end = tokens[0].end, tokens[-1].start
    position = start
    for line in source[start:end].split("\n"):
        code = line.split("//")[0].strip()
        if code and not code.startswith("let "):
            at = position + line.index(code)
            add("statement deleted", at, at + len(code), "")
        position += len(line) + 1


def _expressions(source: str, tokens: list[Token], add: Any, *, strings: bool = True) -> None:
    for i, token in enumerate(tokens):
        before = tokens[i - 1] if i else None
        if token.kind == "operator":
            unary = before is None or before.kind == "operator" or before.text in ("(", "[", ",", "{", ";", "return")
            if token.text in ("!", "-", "~") and unary:
                add("sign dropped", token.start, token.end, "")
                continue
            for after in SWAPS.get(token.text, []):
                add("operator", token.start, token.end, after)
        elif token.kind == "number":
            for after in _numbers(token.text):
                add("constant", token.start, token.end, after)
        elif token.text == '"memory-safe"':
            continue
        elif token.kind == "string" and strings and len(token.text) > 2 and token.text[0] in "\"'":
            add("string emptied", token.start, token.end, '""')
        elif token.text in WORDS:
            add("constant", token.start, token.end, WORDS[token.text])
        elif token.text == "Math" and i + 3 < len(tokens):
            _rounding(source, tokens, i, add)


def _rounding(source: str, tokens: list[Token], index: int, add: Any) -> None:
    name = tokens[index + 2]
    if name.text in ("min", "max"):
        add("min and max", name.start, name.end, "max" if name.text == "min" else "min")
        return
    operator = {"ceilDiv": "/", "saturatingSub": "-"}.get(name.text)
    if operator is None:
        return
    end = closing(tokens, index + 3)
    depth = 0
    for i in range(index + 3, end):
        depth += tokens[i].text in ("(", "[", "{")
        depth -= tokens[i].text in (")", "]", "}")
        if depth == 1 and tokens[i].text == ",":
            left = source[tokens[index + 3].end : tokens[i].start]
            right = source[tokens[i].end : tokens[end].start]
            add("rounding", tokens[index].start, tokens[end].end, f"(({left}) {operator} ({right}))")


def _numbers(text: str) -> Iterator[str]:
    if text.startswith("0x"):
        digits = text[2:]
        if len(digits) == 40:  # an address: its checksum would not hold
            return
        yield "0x" + format((int(digits, 16) + 1) % 16 ** len(digits), f"0{len(digits)}x")
        return
    plain = text.replace("_", "")
    if not plain.isdigit():
        return
    yield str(int(plain) + 1)
    if int(plain):
        yield str(int(plain) - 1)


# --- What the tests say ---


class Compiler:
    """The npm compiler in its own process, started once; again now and then, because it does not give memory back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process: subprocess.Popen[str] | None = None
        self.count = 0

    def bytecode(self, sources: dict[str, str], seen_in: str) -> str | None:
        """Creation code of the contract in `seen_in` without metadata; None where it does not compile."""
        contract = Path(seen_in).stem
        if self.process is None or self.count == 150:
            self.close()
            self.process = subprocess.Popen(
                ["node", str(ROOT / "tools" / "solc_server.js")],
                cwd=self.folder,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            self.count = 0
        self.count += 1
        sources = {seen_in: (self.folder / seen_in).read_text("utf-8"), **sources}  # a library shows in its user
        question = {
            "language": "Solidity",
            "sources": {path: {"content": text} for path, text in sources.items()},
            "settings": {
                "optimizer": {"enabled": True, "runs": 200},
                "evmVersion": "prague",
                "remappings": REMAPPINGS,
                "metadata": {"appendCBOR": False, "bytecodeHash": "none"},
                "outputSelection": {seen_in: {contract: ["evm.bytecode.object"]}},
            },
        }
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(question) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        if any(error["severity"] == "error" for error in answer.get("errors", [])):
            return None
        return str(answer["contracts"][seen_in][contract]["evm"]["bytecode"]["object"])

    def close(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


class Worker:
    """A copy of the project in which one mutant at a time stands in for its contract."""

    def __init__(self, folder: Path, timeout: float) -> None:
        self.folder = folder
        self.timeout = timeout
        self.compiler = Compiler(folder)
        self.originals: dict[str, str] = {}

    def forge(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FOUNDRY_")}
        return subprocess.run(
            ["forge", "test", "--match-path", TESTS, *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=self.timeout,
            check=False,
        )

    def original(self, seen_in: str) -> str:
        if seen_in not in self.originals:
            code = self.compiler.bytecode({seen_in: (self.folder / seen_in).read_text("utf-8")}, seen_in)
            if code is None:
                raise SystemExit(f"error: {seen_in} does not compile")
            self.originals[seen_in] = code
        return self.originals[seen_in]

    def judge(self, code: str, seen_in: str) -> tuple[str, str]:
        """`killed`, `timeout` or `survived`, and the test that said so."""
        name = Path(seen_in).stem
        artifact = self.folder / ".build" / "forge" / f"{name}.sol" / f"{name}.json"
        kept = artifact.read_text("utf-8")
        changed = json.loads(kept)
        changed["bytecode"]["object"] = "0x" + code
        artifact.write_text(json.dumps(changed), "utf-8")
        try:
            answer = self.forge("--fail-fast")
        except subprocess.TimeoutExpired:
            return "timeout", ""
        finally:
            artifact.write_text(kept, "utf-8")
        if "Compiling" in answer.stdout:
            raise SystemExit("error: forge compiled: the copy is not what was measured\n" + answer.stdout)
        if answer.returncode == 0:
            return "survived", ""
        found = re.search(r"\[FAIL[^\n]*\] (\w+)", answer.stdout)
        if found is None:
            raise SystemExit("error: forge failed for another reason\n" + answer.stdout + answer.stderr)
        return "killed", found.group(1)


def copies(jobs: int, timeout: float) -> list[Worker]:
    first = OUT / "worker-0"
    for folder in OUT.glob("worker-*"):
        shutil.rmtree(folder)
    for name in NEEDED:
        target = first / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, target, ignore=shutil.ignore_patterns(".cache"))
        else:
            shutil.copy2(ROOT / name, target)
    for name in LINKED:
        (first / name).symlink_to(ROOT / name)
    built = Worker(first, 1_800).forge()
    if built.returncode:
        raise SystemExit("error: the tests fail before anything was changed\n" + built.stdout + built.stderr)
    for i in range(1, jobs):
        shutil.copytree(first, OUT / f"worker-{i}", symlinks=True)
    workers = [Worker(OUT / f"worker-{i}", timeout) for i in range(jobs)]
    again = workers[-1].forge()
    if again.returncode or "Compiling" in again.stdout:
        raise SystemExit("error: a copy does not behave as the original\n" + again.stdout + again.stderr)
    return workers


# --- The run ---


def digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def tests_digest() -> str:
    files = sorted((ROOT / "tests" / "forge").glob("**/*.sol"))
    used = [path for path in files if "unit" in path.parts or "support" in path.parts]
    return digest(*(path.read_text("utf-8") for path in used))


def targets(named: list[str]) -> list[str]:
    found: list[str] = []
    for name in named:
        path = ROOT / name
        if not path.exists():
            raise SystemExit(f"error: there is no {name}")
        files = sorted(path.glob("**/*.sol")) if path.is_dir() else [path]
        found += [str(file.relative_to(ROOT)) for file in files]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", default=["contracts/core"], help="files or folders")
    parser.add_argument("--sample", type=int, help="only so many mutants")
    parser.add_argument("--seed", type=int, default=1, help="which ones")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--timeout", type=float, default=60, help="seconds for one mutant")
    parser.add_argument("--survivors", action="store_true", help="keep what older tests killed, ask about the rest")
    parser.add_argument("--list", action="store_true", help="show the mutants and stop")
    options = parser.parse_args()

    sources = {path: (ROOT / path).read_text("utf-8") for path in targets(options.paths)}
    mutants = [mutant for path, source in sources.items() for mutant in mutants_of(path, source)]
    if options.sample is not None and options.sample < len(mutants):
        mutants = sorted(random.Random(options.seed).sample(mutants, options.sample), key=lambda m: (m.path, m.start))
    if options.list:
        for mutant in mutants:
            print(describe(mutant, sources[mutant.path]))
        print(f"{len(mutants)} mutants")
        return 0

    OUT.mkdir(parents=True, exist_ok=True)
    log = OUT / "results.jsonl"
    known = recall(log)
    tests = tests_digest()
    records: dict[Mutant, dict[str, Any]] = {}
    waiting: list[Mutant] = []
    for mutant in mutants:
        old = known.get(key_of(mutant, sources[mutant.path]))
        fixed = old is not None and old["status"] in ("invalid", "equivalent")
        if old is not None and (fixed or old["tests"] == tests or (options.survivors and old["status"] != "survived")):
            records[mutant] = old
        else:
            waiting.append(mutant)
    print(f"{len(mutants)} mutants of {len(sources)} files, {len(waiting)} to be judged", flush=True)

    if waiting:
        run(waiting, sources, options, log, tests, records)
    return report(mutants, sources, records)


def run(
    waiting: list[Mutant],
    sources: dict[str, str],
    options: argparse.Namespace,
    log: Path,
    tests: str,
    records: dict[Mutant, dict[str, Any]],
) -> None:
    workers = copies(min(options.jobs, len(waiting)), options.timeout)
    free = list(workers)
    lock = threading.Lock()
    verdicts: dict[tuple[str, str], tuple[str, str]] = {}
    start = time.monotonic()

    def judge(mutant: Mutant) -> None:
        with lock:
            worker = free.pop()
        began = time.monotonic()
        seen_in = SEEN_IN.get(mutant.path, mutant.path)
        code = worker.compiler.bytecode({mutant.path: mutant.apply(sources[mutant.path])}, seen_in)
        if code is None:
            verdict = ("invalid", "")
        elif code == worker.original(seen_in):
            verdict = ("equivalent", "")
        elif (seen_in, code) in verdicts:
            verdict = verdicts[seen_in, code]
        else:
            verdict = worker.judge(code, seen_in)
            verdicts[seen_in, code] = verdict
        record = {
            "key": key_of(mutant, sources[mutant.path]),
            "status": verdict[0],
            "by": verdict[1],
            "tests": tests,
            "seconds": round(time.monotonic() - began, 2),
        }
        with lock:
            free.append(worker)
            records[mutant] = record
            with log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
            if verdict[0] == "survived":
                print("survived  " + describe(mutant, sources[mutant.path]), flush=True)
            if len(records) % 50 == 0:
                print(f"{len(records)} judged, {time.monotonic() - start:.0f} s", flush=True)

    try:
        with ThreadPoolExecutor(len(workers)) as pool:
            for done in [pool.submit(judge, mutant) for mutant in waiting]:
                done.result()
    finally:
        for worker in workers:
            worker.compiler.close()


def key_of(mutant: Mutant, source: str) -> str:
    return digest(source, mutant.path, str(mutant.start), str(mutant.end), mutant.after)


def recall(log: Path) -> dict[str, dict[str, Any]]:
    if not log.exists():
        return {}
    lines = log.read_text("utf-8").splitlines()
    records = [json.loads(line) for line in lines if line.endswith("}")]  # the last may be cut off
    return {record["key"]: record for record in records}


def describe(mutant: Mutant, source: str) -> str:
    before = " ".join(source[mutant.start : mutant.end].split())
    line = source.splitlines()[mutant.line - 1].strip()
    return f"{mutant.path}:{mutant.line}  {mutant.operator}: {before!r} -> {mutant.after!r}  in  {line}"


def report(mutants: list[Mutant], sources: dict[str, str], records: dict[Mutant, dict[str, Any]]) -> int:
    table: dict[str, Counter[str]] = {path: Counter() for path in sources}
    survivors = []
    for mutant in mutants:
        status = records[mutant]["status"]
        table[mutant.path][status] += 1
        if status == "survived":
            survivors.append(mutant)
    print(f"\n{'file':45} {'killed':>7} {'timeout':>8} {'survived':>9} {'score':>7} {'same code':>10} {'invalid':>8}")
    total: Counter[str] = Counter()
    for path, counts in table.items():
        total.update(counts)
        print(row(path, counts))
    print(row("all", total))
    for mutant in survivors:
        print("survived  " + describe(mutant, sources[mutant.path]))
    document = {
        "score": score(total),
        "total": dict(total),
        "files": {path: {**counts, "score": score(counts)} for path, counts in table.items()},
        "survivors": [
            {**asdict(mutant), "before": sources[mutant.path][mutant.start : mutant.end]} for mutant in survivors
        ],
    }
    (OUT / "report.json").write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    print(f"\nreport: {(OUT / 'report.json').relative_to(ROOT)}")
    return 0


def score(counts: Counter[str]) -> float:
    dead = counts["killed"] + counts["timeout"]
    return round(100 * dead / max(1, dead + counts["survived"]), 2)


def row(name: str, counts: Counter[str]) -> str:
    return (
        f"{name:45} {counts['killed']:7} {counts['timeout']:8} {counts['survived']:9} {score(counts):6.1f}% "
        f"{counts['equivalent']:10} {counts['invalid']:8}"
    )


if __name__ == "__main__":
    sys.exit(main())
