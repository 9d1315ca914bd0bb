// The ladder by sharp: one photo, a WebP of each width. Prints the CPU seconds of each round, and
// leaves the files in a folder.
//
// node sharp_ladder.mjs MODULES PHOTO ROUNDS FOLDER QUALITY EFFORT WIDTH…

import { createRequire } from "node:module";
import { writeFileSync } from "node:fs";

const [modules, photo, rounds, folder, quality, effort, ...widths] = process.argv.slice(2);
const sharp = createRequire(modules + "/")("sharp");

sharp.cache(false);
sharp.concurrency(1);

async function render(width) {
  return sharp(photo, { failOn: "error" })
    .autoOrient()
    .resize({ width: Number(width), withoutEnlargement: true })
    .webp({ quality: Number(quality), effort: Number(effort) })
    .toBuffer();
}

for (let round = 0; round <= Number(rounds); round++) {
  const began = process.cpuUsage();
  const made = [];
  for (const width of widths) made.push(await render(width));
  const used = process.cpuUsage(began);
  console.log((used.user + used.system) / 1e6);
  made.forEach((data, at) => writeFileSync(`${folder}/sharp-${widths[at]}.webp`, data));
}
