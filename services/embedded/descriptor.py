"""The descriptor set Envoy turns REST calls into gRPC by, from the stubs that are installed."""

from collections.abc import Iterable
from types import ModuleType

from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import FileDescriptor
from google.rpc import error_details_pb2, status_pb2

# Types that travel inside google.protobuf.Any: nothing imports them, the JSON needs them.
_CARRIED = (error_details_pb2.DESCRIPTOR, status_pb2.DESCRIPTOR)


def build_descriptor_set(modules: Iterable[ModuleType]) -> bytes:
    """A serialized FileDescriptorSet of the generated modules (`*_pb2`) and all they import.

    Every file comes after its imports. The same modules give the same bytes.
    """
    collected: dict[str, FileDescriptor] = {}
    roots = [module.DESCRIPTOR for module in modules]
    for root in sorted(roots, key=lambda file: file.name):
        _collect(root, collected)
    for carried in _CARRIED:
        _collect(carried, collected)
    answer = descriptor_pb2.FileDescriptorSet()
    for file in collected.values():
        answer.file.add().ParseFromString(file.serialized_pb)
    return answer.SerializeToString(deterministic=True)


def _collect(file: FileDescriptor, collected: dict[str, FileDescriptor]) -> None:
    if file.name in collected:
        return
    for imported in file.dependencies:
        _collect(imported, collected)
    collected[file.name] = file
