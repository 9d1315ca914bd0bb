// Make what Immich makes of a photo, with sharp: a preview, a JPEG of 1440 pixels, and a thumbnail,
// a WebP of 250 pixels. For each photo whose path is read from standard input, print the CPU
// seconds of two ways: each from the file, the side being the width; and as Immich does it, both
// from one decode, the side being the shorter one.
//
// node sharp_immich.mjs MODULES

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const sharp = createRequire(process.argv[2] + "/")("sharp");
const jpeg = { quality: 80, chromaSubsampling: "4:4:4" };
const webp = { quality: 80 };

sharp.cache(false);
sharp.concurrency(1);

async function fromTheFile(photo) {
  const open = (width) => sharp(photo, { failOn: "error" }).autoOrient().resize({ width });
  await open(1440).jpeg(jpeg).toBuffer();
  await open(250).webp(webp).toBuffer();
}

async function fromOneDecode(photo) {
  const shrink = (image, side) =>
    image
      .pipelineColorspace("srgb")
      .withIccProfile("srgb")
      .resize(side, side, { fit: "outside", withoutEnlargement: true });
  const { data, info } = await shrink(sharp(photo, { failOn: "error" }).autoOrient(), 1440)
    .raw()
    .toBuffer({ resolveWithObject: true });
  await shrink(sharp(data, { raw: info }), 250).webp(webp).toBuffer();
  await shrink(sharp(data, { raw: info }), 1440).jpeg(jpeg).toBuffer();
}

async function cpu(render) {
  const start = process.cpuUsage();
  await render();
  const used = process.cpuUsage(start);
  return (used.user + used.system) / 1e6;
}

for await (const photo of createInterface({ input: process.stdin })) {
  const found = [await cpu(() => fromTheFile(photo)), await cpu(() => fromOneDecode(photo))];
  console.log(found.join(" "));
}
