# Sluice's tools for this shell: `source tools/env.sh`, then ape, forge, anvil, ruff ... as usual.
# After `make setup`. Works in bash, zsh and (from the project's folder) plain sh.
if [ -n "${BASH_VERSION:-}" ]; then
    SLUICE_ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
elif [ -n "${ZSH_VERSION:-}" ]; then
    SLUICE_ROOT=$(cd "$(dirname "${(%):-%x}")/.." && pwd -P)
else
    SLUICE_ROOT=$(pwd -P)
fi
export SLUICE_ROOT
if [ -f "$SLUICE_ROOT/.toolchain/env" ]; then
    . "$SLUICE_ROOT/.toolchain/env"
else
    echo "Sluice is not set up here: run 'make setup' in $SLUICE_ROOT first" >&2
    false
fi
