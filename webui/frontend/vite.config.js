// Builds the scripts and styles into webui/static/built under fixed names; Flask adds a version to their addresses.
import { defineConfig } from 'vite';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

// One build for every page, and one for each editor: a bundle that shares no file with another can be cached by its own digest.
const EDITORS = { designer: 'src/designer/main.js', 'designer-tables': 'src/designer/tables.js' };
const names = { entryFileNames: '[name].js', chunkFileNames: '[name].js', assetFileNames: '[name][extname]' };

export default defineConfig(({ mode }) => {
  const editor = EDITORS[mode];
  return {
    root: here('.'),
    base: './',
    publicDir: false,
    build: {
      outDir: here('../static/built'),
      emptyOutDir: !editor,
      manifest: editor ? `manifest-${mode}.json` : 'manifest.json',
      license: { fileName: editor ? `licences-${mode}.md` : 'licences.md' },
      assetsInlineLimit: 0, // the content security policy allows no data: scripts or styles
      modulePreload: false,
      target: ['chrome109', 'edge109', 'firefox115', 'safari16.4'],
      chunkSizeWarningLimit: 3000,
      rollupOptions: {
        checks: { eval: false }, // htmx contains one; allowEval is off and the content security policy forbids it
        input: editor ? { [mode]: here(editor) } : { app: here('src/app.js'), diagram: here('src/diagram.js') },
        output: { ...names, codeSplitting: editor ? false : undefined },
      },
    },
  };
});
