# Written by tools/sync_client.py from _async/ranking_profiles.py: change that file, not this one.
"""Ranking profiles."""

from mnema.client._convert.ranking import profile_message, profile_of
from mnema.client._sync.calls import Caller
from mnema.client.ranking import RankingProfile
from mnema.v1 import vector_service_pb2 as pb
from mnema.v1.vector_service_pb2_grpc import VectorServiceStub

ProfileList = list[RankingProfile]  # inside the class `list` is a method


class RankingProfiles:
    """Ways to rank, to be named in `recall` and `search`: `nm.ranking_profiles`.

    "default" and "neuromem" come with the server; a tenant adds its own.
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def list(self) -> ProfileList:
        """Lists the built-in profiles, then the tenant's own, each by name."""
        stub = self._caller.stub(VectorServiceStub)
        request = pb.ListRankingProfilesRequest()
        response = self._caller.read(stub.ListRankingProfiles, request)
        return [profile_of(each) for each in response.profiles]

    def get(self, name: str) -> RankingProfile:
        """Gets a profile.

        Raises:
            NotFound: there is none of that name.
        """
        stub = self._caller.stub(VectorServiceStub)
        request = pb.GetRankingProfileRequest(name=name)
        return profile_of((self._caller.read(stub.GetRankingProfile, request)).profile)

    def put(self, profile: RankingProfile) -> RankingProfile:
        """Stores a profile in place of the one of that name. Needs a tenant key.

        Every search knows it within 5 seconds.

        Raises:
            InvalidArgument: it names no signal, or something that is none (the message names
                those that there are), or a number is out of its range.
            FailedPrecondition: the name is a built-in profile's.
            ResourceExhausted: the tenant has 100 already.

        Example:
            from mnema.client.ranking import RankingProfile, SignalWeight

            words = RankingProfile("words", {"bm25": SignalWeight(1, 1)})
            with Mnema() as nm:
                nm.ranking_profiles.put(words)
                print(nm.search("alice", "Rust", ranking_profile="words"))
        """
        stub = self._caller.stub(VectorServiceStub)
        request = pb.PutRankingProfileRequest(profile=profile_message(profile))
        return profile_of((self._caller.once(stub.PutRankingProfile, request)).profile)

    def delete(self, name: str) -> bool:
        """Deletes a profile of the tenant. Says whether there was one. Needs a tenant key.

        Raises:
            FailedPrecondition: the name is a built-in profile's.
        """
        stub = self._caller.stub(VectorServiceStub)
        request = pb.DeleteRankingProfileRequest(name=name)
        return (self._caller.once(stub.DeleteRankingProfile, request)).deleted
