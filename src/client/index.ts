/** What `ghostai/client` exports. */
export type { Action, Explanation, LocatedFinding, Origin, ScannerName } from "../types.ts";
export {
  type ClientOptions,
  type FailedClosed,
  type FailedOpen,
  GhostClient,
  type Health,
  type RedactOptions,
  type Scanned,
  type ScanOptions,
  type ScanResult,
} from "./client.ts";
export { ClientError, type WayCode } from "./error.ts";
export type {
  Content,
  ContentPart,
  FunctionCall,
  Message,
  Redacted,
  Replacement,
  Restored,
  ToolCall,
} from "./shapes.ts";
