// Builds the scripts and styles into webui/static/built under fixed names; Flask adds a version to their addresses.
import { defineConfig } from 'vite';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: here('.'),
  base: './',
  publicDir: false,
  build: {
    outDir: here('../static/built'),
    emptyOutDir: true,
    manifest: 'manifest.json',
    license: { fileName: 'licences.md' },
    assetsInlineLimit: 0, // the content security policy allows no data: scripts or styles
    modulePreload: false,
    target: ['chrome109', 'edge109', 'firefox115', 'safari16.4'],
    rollupOptions: {
      checks: { eval: false }, // htmx contains one; allowEval is off and the content security policy forbids it
      input: {
        app: here('src/app.js'),
        diagram: here('src/diagram.js'),
      },
      output: {
        entryFileNames: '[name].js',
        chunkFileNames: '[name].js',
        assetFileNames: '[name][extname]',
      },
    },
  },
});
