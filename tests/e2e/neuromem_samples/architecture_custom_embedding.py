from services.providers.embeddings.base import UserEmbedding as EmbeddingProvider

class MyEmbedding(EmbeddingProvider):
    @property
    def dims(self) -> int:
        return 768

    async def embed(self, text: str) -> list[float]:
        # 调用你的 embedding 服务
        return await my_api.embed(text)
