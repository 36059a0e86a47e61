/** What a report's JSON file holds, whichever bench wrote it. */
import { z } from "zod";

const positive = z.number().positive();

export const rowSchema = z
  .looseObject({
    name: z.string().min(1),
    unit: z.string().min(1),
    ours: positive.nullable(),
    peers: z.record(z.string(), positive),
    ratio: positive.nullable(),
    share_of_peak: positive.nullable(),
    not_measured: z.string().min(1).optional(),
  })
  .refine((row) => (row.ours === null) === (row.not_measured !== undefined), {
    message: "Expected not_measured to say why ours is null, and nothing else",
  })
  .refine(
    (row) => row.ours === null || (row.ratio === null) === (Object.keys(row.peers).length === 0),
    {
      message: "Expected a ratio where there is a peer, and none without",
    },
  );

export const reportSchema = z.looseObject({
  machine: z.string().min(1),
  cpu: z.string().min(1),
  isa: z.string(),
  commit: z.string().min(1),
  command: z.string().startsWith("node --import tsx bench/"),
  date: z.iso.datetime(),
  missing_peers: z.array(z.string()),
  rows: z.array(rowSchema).min(1),
});
