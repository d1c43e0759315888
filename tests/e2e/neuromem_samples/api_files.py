# Upload file (auto-extracts text + generates embedding)
doc = await nm.files.upload(
    user_id, filename="report.pdf", file_data=bytes_data,
    category="work", tags=["quarterly"], metadata={}
)
# Supported: .txt, .md, .json, .csv, .pdf (needs [pdf]), .docx (needs [docx]), images (store only)

# Create from text (no S3 upload)
doc = await nm.files.create_from_text(user_id, title="Notes", content="...", category="work")

# List / Get / Delete
docs = await nm.files.list(user_id, category=None, tags=None, file_types=None, limit=50)
doc = await nm.files.get(user_id, file_id)
ok = await nm.files.delete(user_id, file_id)

# Vector search file content
results = await nm.files.search(user_id, query="...", limit=5, file_types=None, category=None)
