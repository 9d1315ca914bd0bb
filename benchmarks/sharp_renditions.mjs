// Make a WebP of each width from one photo with sharp. Prints the CPU seconds of each round, and
// writes the files to a folder.
//
// node sharp_renditions.mjs MODULES PHOTO ROUNDS FOLDER WIDTH:QUALITY:EFFORT…

import { createRequire } from "node:module";
import { writeFileSync } from "node:fs";

const [modules, photo, rounds, folder, ...options] = process.argv.slice(2);
const steps = options.map((step) => step.split(":").map(Number));
const sharp = createRequire(modules + "/")("sharp");

sharp.cache(false);
sharp.concurrency(1);

async function render([width, quality, effort]) {
  return sharp(photo, { failOn: "error" })
    .autoOrient()
    .resize({ width, withoutEnlargement: true })
    .webp({ quality, effort })
    .toBuffer();
}

for (let round = 0; round <= Number(rounds); round++) {
  const start = process.cpuUsage();
  const made = [];
  for (const step of steps) made.push(await render(step));
  const used = process.cpuUsage(start);
  console.log((used.user + used.system) / 1e6);
  made.forEach((data, at) => writeFileSync(`${folder}/sharp-${steps[at][0]}.webp`, data));
}
