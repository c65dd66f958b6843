#!/bin/sh
# Checks all files of this folder by the tools that belong to them, and says which tools are
# missing. The tests in tests/deploy/ need none of these tools, and always run.
#
#   deploy/check.sh
#
# uvx, which comes with uv, fetches kubernetes-validate and check-jsonschema for the moment.
set -u
cd "$(dirname "$0")"
failed=0

check() { # TOOL WORDS…: run the words where the tool exists
    tool=$1
    shift
    if ! command -v "$tool" >/dev/null; then
        echo "NOT RUN, there is no $tool: $*"
    elif "$@"; then
        echo "ok: $*"
    else
        echo "FAILED: $*"
        failed=1
    fi
}

kubernetes() { # WAY: render, and compare with the schemas of Kubernetes; those of operators are not in them
    kubectl kustomize "kubernetes/$1" >"$rendered" &&
        uvx --quiet kubernetes-validate --strict --kubernetes-version 1.34 "$rendered"
}

rendered=$(mktemp)
unit=$(mktemp -d)/hopper.service
trap 'rm -rf "$rendered" "$(dirname "$unit")"' EXIT
# The program that the unit names is on the machine that runs it, not here.
sed 's#/opt/hopper/bin/python#/usr/bin/env python#' systemd/hopper.service >"$unit"

check promtool promtool check rules prometheus/alerts.yaml
check promtool promtool check config prometheus/prometheus.yml
check promtool promtool test rules prometheus/alerts.test.yaml
check uvx uvx --quiet check-jsonschema --builtin-schema vendor.compose-spec compose.yaml
check kubectl kubernetes cluster
check kubectl kubernetes durable
check kubectl kubernetes independent
check systemd-analyze systemd-analyze verify "$unit"
exit "$failed"
