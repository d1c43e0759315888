// The main job through generated stubs: node main_job.mjs <grpc|grpc-web> <address> <key> <user id>
// Prints one JSON object; test_transports.py judges it.
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema } from "./stubs/google/rpc/error_details_pb.js";
import { IngestService } from "./stubs/mnema/v1/ingest_service_pb.js";
import { RecallService } from "./stubs/mnema/v1/recall_service_pb.js";
import { ReflectService } from "./stubs/mnema/v1/reflect_service_pb.js";
import { FileService } from "./stubs/mnema/v1/file_service_pb.js";

const [kind, address, key, userId] = process.argv.slice(2);
const said = JSON.parse(process.env.MESSAGES);
const authorised = (next) => (request) => {
  request.header.set("authorization", `Bearer ${key}`);
  return next(request);
};
const options = { baseUrl: `http://${address}`, interceptors: [authorised] };
const transport =
  kind === "grpc"
    ? createGrpcTransport(options)
    : createGrpcWebTransport({ ...options, httpVersion: "1.1" });
const ingest = createClient(IngestService, transport);
const recall = createClient(RecallService, transport);
const reflect = createClient(ReflectService, transport);
const files = createClient(FileService, transport);

const stored = await ingest.ingestBatch({
  userId,
  messages: said.map((content) => ({ role: "user", content })),
});
const query = "Where do I work?";
const atOnce = await recall.recall({ userId, query: said[0], includeConversations: true });

const deadline = Date.now() + 20_000;
let status;
do {
  status = await ingest.getIngestStatus({ userId });
  if (Date.now() > deadline) throw new Error(`still waiting: ${JSON.stringify(status)}`);
  await new Promise((resolve) => setTimeout(resolve, 50));
} while (status.pendingMessages || status.runningExtractions || status.pendingEmbeddings);

const remembered = await recall.recall({ userId, query });
const digest = await reflect.digest({ userId });

const file = { userId, filename: "list.txt", fileData: new TextEncoder().encode("tea, rice\n") };
const made = await files.createFile(file);
const pieces = [];
for await (const piece of files.downloadFile({ userId, fileId: made.file.fileId })) {
  pieces.push(Buffer.from(piece.data));
}

let refused;
try {
  await recall.recall({ userId, query: "" });
} catch (error) {
  const [info] = ConnectError.from(error).findDetails(ErrorInfoSchema);
  refused = { code: error.code, reason: info.reason, domain: info.domain };
}

console.log(
  JSON.stringify({
    stored: stored.receipts.length,
    at_once: atOnce.conversationResults.map((each) => each.message.content),
    recalled: remembered.merged.map((each) => each.content),
    analyzed: digest.memoriesAnalyzed,
    downloaded: Buffer.concat(pieces).toString(),
    refused,
  }),
);
