/** What `ghostai/client` exports. */
export type { Action, LocatedFinding, Origin, ScannerName } from "../types.ts";
export {
  type ClientOptions,
  type FailedClosed,
  type FailedOpen,
  GhostClient,
  type Health,
  type Scanned,
  type ScanOptions,
  type ScanResult,
} from "./client.ts";
export { ClientError, type WayCode } from "./error.ts";
export type { ContentPart, FunctionCall, Message, ToolCall } from "./shapes.ts";
