import sys, time, statistics, random, asyncio
sys.path.insert(0, '/tmp/vec')
import numpy as np
import asyncpg
from pgvector import HalfVector
from fill import fill
from services.storage.queries import load
from services.storage import foundation
from tests.store.owners import opened, new_owner
STANDS = "CASE WHEN $3::timestamptz IS NULL THEN item.retracted_at IS NULL ELSE item.recorded_at <= $3 AND (item.retracted_at IS NULL OR item.retracted_at > $3) END"
ASKED = """(kind <> 'memory' OR $4::text[] IS NULL OR memory_type = ANY ($4))
 AND ($5::timestamptz IS NULL OR item.created_at >= $5) AND ($6::timestamptz IS NULL OR item.created_at < $6)
 AND ($7::timestamptz IS NULL OR item.event_at >= $7) AND ($8::timestamptz IS NULL OR item.event_at < $8)
 AND (kind <> 'chunk' OR ($9::text[] IS NULL AND $10::text IS NULL) OR EXISTS (
        SELECT FROM chunks JOIN documents USING (owner_id, file_id)
        WHERE chunks.owner_id = $1 AND chunks.chunk_id = item.item_id
          AND ($9 IS NULL OR documents.file_type = ANY ($9)) AND ($10 IS NULL OR documents.category = $10)))"""
S = {k: v.replace("{stands}", STANDS).replace("{asked}", ASKED).replace("{vectors}", "vectors_1") for k, v in load("search").items()}
async def test_time(test_database):
    async with opened(test_database) as db:
        owners = [await new_owner(db) for _ in range(3)]
        for i, (o, n) in enumerate(zip(owners, (10000, 1000, 10000))):
            t=time.perf_counter(); await fill(o, n, i); print("fill", n, time.perf_counter()-t)
        c = await asyncpg.connect(test_database.superuser_dsn); await c.execute("vacuum analyze"); await c.close()
        rng = np.random.default_rng(5); r = random.Random(7)

        async def words(o, terms):
            async with o.transaction() as c: return await c.fetch(S["by_words"], o.owner_id, ["memory"], *[None]*8, terms)
        async def meaning(o, q):
            async with o.transaction() as c: return await c.fetch(S["by_meaning"], o.owner_id, ["memory"], *[None]*8, q, 80)
        async def both(o, terms, q): return await asyncio.gather(words(o, terms), meaning(o, q))
        async def seq(o, terms, q):
            async with o.transaction() as c:
                a = await c.fetch(S["by_words"], o.owner_id, ["memory"], *[None]*8, terms)
                return a, await c.fetch(S["by_meaning"], o.owner_id, ["memory"], *[None]*8, q, 80)
        for o in owners[:2]:
            for name in ("words", "meaning", "both", "seq"):
                ts = []; rows = 0
                for i in range(60):
                    q = HalfVector(rng.normal(size=384))
                    terms = [f"w{min(19999,int(r.paretovariate(0.4)))+10}" for _ in range(6)]
                    t = time.perf_counter()
                    if name == "words": x = await words(o, terms)
                    elif name == "meaning": x = await meaning(o, q)
                    elif name == "both": x = (await both(o, terms, q))[0]
                    else: x = (await seq(o, terms, q))[0]
                    ts.append(time.perf_counter()-t); rows += len(x)
                ts.sort()
                print(name, "p50 ms", 1000*statistics.median(ts), "p90", 1000*ts[54], "rows", rows/60)
        o = owners[0]
        async with o.transaction() as c:
            for r1 in await c.fetch("explain (analyze, buffers) " + S["by_words"], o.owner_id, ["memory"], *[None]*8, terms): print(r1[0])
