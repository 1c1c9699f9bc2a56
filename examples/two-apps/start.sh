#!/usr/bin/env bash
# Starts payments (Python) and orders (Node), each with its agent, makes one call, and ends all of it with Ctrl-C.
set -euo pipefail
cd "$(dirname "$0")"

payments_port="${PAYMENTS_PORT:-8080}"
payments_proxy="127.0.0.1:${PAYMENTS_PROXY_PORT:-4140}"
payments_admin="127.0.0.1:${PAYMENTS_ADMIN_PORT:-4190}"
orders_port="${ORDERS_PORT:-8081}"
orders_proxy="127.0.0.1:${ORDERS_PROXY_PORT:-4141}"
orders_admin="127.0.0.1:${ORDERS_ADMIN_PORT:-4191}"
export OUTRIGGER_LOG_LEVEL="${OUTRIGGER_LOG_LEVEL:-warn}"

outrigger=(node ../../bin/outrigger.js)

if [ ! -e ../../dist/cli/main.js ]; then
  echo 'build the agent first: npm ci' >&2
  exit 1
fi

# Each agent in a process group of its own: a Ctrl-C comes to this script alone, which then ends them in order.
set -m
agents=()
stop() {
  trap '' INT TERM
  for agent in ${agents[@]+"${agents[@]}"}; do
    kill -TERM "$agent" 2>/dev/null || true
    wait "$agent" 2>/dev/null || true
  done
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

PORT="$payments_port" "${outrigger[@]}" run \
  --name payments --port "$payments_port" --health-http /health \
  --listen "$payments_proxy" --admin "$payments_admin" \
  -- python3 payments.py </dev/null &
agents+=("$!")

PORT="$orders_port" "${outrigger[@]}" run \
  --name orders --port "$orders_port" --health-http /health --wait-for payments \
  --listen "$orders_proxy" --admin "$orders_admin" \
  -- node orders.js </dev/null &
agents=("$!" "${agents[@]}") # The caller ends first.

"${outrigger[@]}" wait orders --admin "$orders_admin" --timeout 30s
echo
echo "\$ curl 'http://127.0.0.1:$orders_port/order?number=1'"
node -e "fetch('http://127.0.0.1:$orders_port/order?number=1').then(async (r) => process.stdout.write(await r.text()))"
echo
"${outrigger[@]}" instances payments --admin "$orders_admin"
echo
echo 'running; Ctrl-C ends everything'
wait
