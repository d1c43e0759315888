"""The gRPC face of recall."""

from google.protobuf.message import Message
from grpc import aio

from mnema.v1 import recall_service_pb2 as pb
from mnema.v1 import recall_service_pb2_grpc
from services.contract.user import User
from services.recall import merging, prompting
from services.recall.accesses import AccessCounter
from services.recall.arms import Arms
from services.runtime.errors import invalid

Context = aio.ServicerContext[Message, Message]


class RecallServicer(recall_service_pb2_grpc.RecallServiceServicer):
    """Recalls; the contract's comments say what."""

    def __init__(self, arms: Arms, accesses: AccessCounter) -> None:
        self._arms = arms
        self._accesses = accesses

    async def Recall(self, request: pb.RecallRequest, context: Context) -> pb.RecallResponse:
        user = User.served(request.user_id)
        if request.HasField("decay_rate") and request.decay_rate.ToTimedelta().total_seconds() <= 0:
            raise invalid("decay_rate", "must be more than 0 seconds", "FIELD_OUT_OF_RANGE")
        prompting.budget_of(request)  # a wrong one is told before anything is searched
        found = await self._arms.ask(request, user)
        answer = merging.answer(request, found, merging.moment(request))
        if not request.HasField("as_of"):
            self._accesses.count(user.scope, merging.recalled(answer.vector_results))
        return answer
