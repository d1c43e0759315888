nm.reflection_interval = 10
nm.auto_extract = False
nm.graph_enabled = True
nm.on_extraction = my_callback
nm.on_llm_call = my_llm_callback
nm.on_embedding_call = my_embedding_callback
