import sys, time, statistics, random, asyncio
sys.path.insert(0, '/tmp/vec')
import numpy as np
import asyncpg
from tests.conftest import *
from tests.service.vector_world import *
from tests.service.vector_world import vector_world, USER, LOCAL
from services.runtime.ids import owner_of
from services.runtime.scope import Scope
from services.storage import foundation, memories
from services.storage.memories import NewMemory
from mnema.v1 import vector_service_pb2 as pb
WORDS = open('/tmp/vec/words.txt').read().split()
async def fill(world, user, n):
    owner = owner_of(world.tenant_id, user); rng = random.Random(n); nrng = np.random.default_rng(n)
    weights = [1/(i+8) for i in range(len(WORDS))]
    async with world.database.transaction(Scope(world.tenant_id, owner)) as c:
        await foundation.lock_owner(c, owner); await foundation.register_user(c, owner, world.tenant_id, user)
        sp = await foundation.active_space(c)
        for s in range(0, n, 500):
            v = nrng.normal(size=(min(500,n-s), 384)).astype(np.float32); v /= np.linalg.norm(v, axis=1, keepdims=True)
            await memories.remember(c, owner, [NewMemory("fact", " ".join(rng.choices(WORDS, weights, k=rng.randint(8, 30))), vector=x) for x in v], sp)
async def test_bench(test_database):
    async with vector_world(test_database, LOCAL) as world:
        for user, n in (("u1k", 1000), ("u10k", 10000), *((f"o{i}", 1000) for i in range(10))):
            await fill(world, user, n)
        su = await asyncpg.connect(test_database.superuser_dsn); await su.execute("VACUUM ANALYZE"); await su.close()
        rng = random.Random(3); weights = [1/(i+8) for i in range(len(WORDS))]
        for user in ("u1k", "u10k"):
            for given in (False, True):
                ts = []
                for i in range(120):
                    q = " ".join(rng.choices(WORDS, weights, k=7)) + f" {i}"
                    r = pb.SearchRequest(user_id=user, query=q, query_embedding=list(np.random.default_rng(i).normal(size=384)) if given else [])
                    t = time.perf_counter(); x = await world.vector.Search(r); ts.append(1000*(time.perf_counter()-t))
                    assert len(x.hits) == 20 and not x.degraded
                ts = sorted(ts[10:])
                print("BENCH", user, "embedding given" if given else "embedding made", "p50 %.1f p95 %.1f ms" % (ts[55], ts[104]))
