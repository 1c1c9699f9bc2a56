#!/bin/sh
# Installs payments and its agent as services of this host and starts both. Run as root.
set -eu
cd "$(dirname "$0")"
if [ ! -x /usr/local/bin/outrigger ]; then
  echo 'install the agent first, as /usr/local/bin/outrigger' >&2
  exit 1
fi
install -D -m 0644 ../two-apps/payments.py /opt/payments/payments.py
install -m 0644 payments.service payments-outrigger.service /etc/systemd/system/
systemctl daemon-reload
systemctl enable --now payments.service
