import { settingGroups } from '../../src/config/index.ts';
import type { Setting, SettingGroup } from '../../src/config/kinds.ts';
import { code, page, table } from './markdown.ts';

export function configurationPage(): string {
	return page(
		'Configuration',
		'src/config',
		`Every setting is an environment variable. \`picpipe start\` and the roles also read a file \`.env\` in the working folder, of which only \`PICPIPE_*\` and
\`REDIS_URL\` count; the environment has precedence. picpipe reads and checks all of them once, at start. It prints every problem at once and exits
with code 2. An empty variable counts as unset. An unknown variable whose name begins with \`PICPIPE_\` is refused, because it is most likely
misspelt.`,
		...settingGroups.map(section),
		`## Rules between settings

- \`PICPIPE_HOST\` beyond loopback needs an API key: in storage (\`picpipe keys add\`) or in \`PICPIPE_API_KEYS\`.
- \`PICPIPE_ARENA_HOST\` beyond loopback needs \`PICPIPE_ARENA_PASSWORD\`, or an API key with the scope \`admin\`.
- \`PICPIPE_ARENA_PORT\` must differ from \`PICPIPE_PORT\` on the same host.
- \`PICPIPE_WATCH\` must not contain \`PICPIPE_DATA\` or the folder of \`PICPIPE_STORAGE\`, nor lie in one of them.
- \`PICPIPE_ABANDONED_SECONDS\` and \`PICPIPE_RESUMABLE_SECONDS\` must exceed \`PICPIPE_UPLOAD_SECONDS\`.
- \`PICPIPE_DRAIN_SECONDS\` must be less than \`PICPIPE_STOP_SECONDS\`.
- \`PICPIPE_WEBHOOK_URL\` needs \`PICPIPE_WEBHOOK_SECRETS\`.
- \`PICPIPE_ACCEL_REDIRECT\` needs storage in a folder.
- \`picpipe api\`, \`picpipe worker\` and \`picpipe arena\` need \`REDIS_URL\` when they run alone. \`picpipe start\` runs a Redis of its own without it.
- All processes of one installation need the same \`REDIS_URL\`, \`PICPIPE_REDIS_PREFIX\` and \`PICPIPE_STORAGE\`.

API keys, the Arena password, webhook secrets and the password in \`REDIS_URL\` are never printed.`,
	);
}

function section({ title, settings, notes = [] }: SettingGroup): string {
	const rows = Object.values(settings).map(row);
	return [`## ${title}`, table(['Variable', 'Default', 'Expected', 'Meaning'], rows), ...notes].join('\n\n');
}

function row({ variable, defaultNote, default: fallback, expected, doc }: Setting<unknown>): string[] {
	return [code(variable), defaultNote ?? (fallback === undefined ? 'none' : code(fallback)), expected, doc];
}
