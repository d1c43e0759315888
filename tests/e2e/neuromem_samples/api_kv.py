await nm.kv.set(user_id, namespace, key, value)        # value: str/int/float/bool/dict/list/None
value = await nm.kv.get(user_id, namespace, key)        # -> Any | None
items = await nm.kv.list(user_id, namespace, prefix="") # -> [{"key": ..., "value": ...}]
ok = await nm.kv.delete(user_id, namespace, key)         # -> bool
await nm.kv.batch_set(user_id, namespace, {"k1": v1, "k2": v2})
