import js from '@eslint/js'
import svelte from 'eslint-plugin-svelte'
import globals from 'globals'
import ts from 'typescript-eslint'
import svelteConfig from './svelte.config.js'

export default ts.config(
  { ignores: ['dist', 'dist-dev', 'src/worker/core', 'test-results', 'playwright-report', 'src/lib/core/types.ts'] },
  js.configs.recommended,
  ...ts.configs.strict,
  ...svelte.configs.recommended,
  {
    languageOptions: { globals: { ...globals.browser, ...globals.worker } },
    rules: {
      'no-console': 'error',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-undef': 'off',
      // Where a set or a map is shown, it is a reactive one; most are only counted with.
      'svelte/prefer-svelte-reactivity': 'off',
      'svelte/no-unused-svelte-ignore': 'off',
      'max-lines': ['error', 420],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      // Text that people wrote never becomes HTML.
      'svelte/no-at-html-tags': 'error',
      // Places are in the address's fragment, and there is no router to ask.
      'svelte/no-navigation-without-resolve': 'off',
    },
  },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser, extraFileExtensions: ['.svelte'], svelteConfig } },
  },
  { files: ['e2e/**', '*.ts', '*.js'], languageOptions: { globals: globals.node } },
  { files: ['e2e/**'], rules: { 'no-empty-pattern': 'off' } },
  // The catalogues are lists.
  { files: ['src/lib/i18n/??.ts'], rules: { 'max-lines': 'off' } },
  { files: ['src/shell/sw.js'], languageOptions: { globals: { ...globals.serviceworker, __FILES__: 'readonly' } } },
)
