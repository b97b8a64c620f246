#!/usr/bin/env bash
# Serves a repository in the foreground on loopback and, once it is ready, says how to try it:
#   tools/serve.sh PROGRAM REPOSITORY HTTP_PORT METRICS_PORT [ARGUMENT...]
set -euo pipefail

program="$1" repository="$2" http_port="$3" metrics_port="$4"
shift 4
http="http://127.0.0.1:$http_port"

show_how_to_try() {
  cat <<TEXT

  HTTP     $http/v2
  metrics  http://127.0.0.1:$metrics_port/metrics
  Try, from another terminal:
    curl -s $http/v2/models/identity_fp32/infer -d '{"inputs":[{"name":"INPUT0","shape":[3],"datatype":"FP32","data":[1,2,3]}]}'
    build/venv/bin/python demo/classify.py --url 127.0.0.1:$http_port
  Ctrl-C stops the server.

TEXT
}

# Waits beside the server, whose process id will be this shell's, until it is ready or gone.
wait_and_show() {
  while kill -0 $$ 2>/dev/null; do
    if curl -sf -o /dev/null --max-time 2 "$http/v2/health/ready"; then
      show_how_to_try
      return
    fi
    sleep 0.2
  done
}

# In a shell of its own that ends at once, so that the server inherits no child.
(wait_and_show &)
exec "$program" serve --model-repository="$repository" --http-port="$http_port" \
  --metrics-port="$metrics_port" "$@"
