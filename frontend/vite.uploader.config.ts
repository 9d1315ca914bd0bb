import { defineConfig } from 'vite'

// The module that embedding apps load from the router. It is built after the gallery, which
// empties the folder.
export default defineConfig({
  publicDir: false,
  build: {
    outDir: '../src/safelight/web/gallery_files',
    emptyOutDir: false,
    target: 'es2022',
    lib: { entry: 'src/uploader/uploader.ts', formats: ['es'], fileName: () => 'uploader.js' },
  },
})
