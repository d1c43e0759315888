"""The server: one program, many targets."""

import os

# gRPC takes its pollers apart around every fork, and aborts when one is at work: seen at the start
# of services, which let libraries start programs. We never call gRPC in a forked process. It reads
# this when it is first used.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
