import type { Command } from 'commander';
import { groupNames, groupOf, isGroupName, type KeyRecord, type KeyWishes } from '../access/key.ts';
import { parseRate, rateText, type Scope, scopes } from '../access/key-rights.ts';
import type { ApiKeys } from '../access/key-store.ts';
import { type Config, ConfigError, readConfig } from '../config/index.ts';
import { surviveBrokenOutput } from '../supervisor/exit.ts';

const help = `
The first key locks the API: without any key only this machine is served, with one every client needs a key. \`keys add\` writes nothing
but the key to standard output: KEY=$(picpipe keys add --name camera --scope upload)`;

/** For a flag that may be repeated. */
const collect = (value: string, before: readonly string[] = []) => [...before, value];

/** `picpipe keys add`, `list` and `revoke` */
export function addKeys(program: Command): void {
	const keys = program
		.command('keys')
		.description('add, list and revoke API keys; they are kept in storage, Redis is not needed')
		.addHelpText('after', help);
	keys
		.command('add')
		.description('make a key and show it, once')
		.requiredOption('--name <name>', 'name of the key, such as its user')
		.requiredOption('--scope <scopes>', 'what the key allows: upload, read, admin; several with commas', collect)
		.option(
			'--group <group>',
			'group that owns what the key uploads; to replace a key, the group of the old one (default: a group of its own)',
		)
		.option('--recipe <names>', 'recipes that the key may use, separated by commas (default: all)', collect)
		.option('--rate <requests/time>', 'maximum requests in a period, such as 60/min or 5/s')
		.option('--concurrency <number>', 'maximum requests at the same time')
		.option('--per-day <number>', 'maximum pictures a day (UTC), with those that are processed again')
		.action(addKey);
	keys
		.command('list')
		.description('list all keys, including revoked ones')
		.option('--json', 'as JSON')
		.action(listKeys);
	keys
		.command('revoke')
		.description('revoke a key for good, and the upload tokens made with it')
		.argument('<id>', 'id or name of the key')
		.action(revokeKey);
}

/** Lists hold the values of every repetition of a flag. */
interface AddKeyFlags {
	readonly name: string;
	readonly scope: readonly string[];
	readonly group?: string;
	readonly recipe?: readonly string[];
	readonly rate?: string;
	readonly concurrency?: string;
	readonly perDay?: string;
}

/** Only the key goes to standard output, so that a script can read it. Everything for people goes to standard error. @throws ConfigError */
async function addKey(flags: AddKeyFlags): Promise<void> {
	const { config, keys } = await openKeys();
	const before = await listed(keys);
	const wishes = readWishes(flags, before);
	const isFirst = config.apiKeys === undefined && before.length === 0;
	const { record, text } = await keys.add(wishes);
	process.stderr.write(`${describeKey(record, keys.where)}\n\n`);
	process.stdout.write(`${text}\n`);
	process.stderr.write('\nThe key is shown this once; picpipe keeps only its digest.\n');
	if (isFirst) {
		process.stderr.write(
			`It is the first one: within ${config.keysSeconds} s the API and Arena require a key, on this machine too.\n`,
		);
	}
	const knowsAdmin = wishes.scopes.includes('admin') || !isFirst;
	if (!knowsAdmin) process.stderr.write('Nobody has the scope "admin" yet, which Arena and the dashboard need.\n');
}

async function listKeys(flags: { readonly json?: boolean }): Promise<void> {
	const { config, keys } = await openKeys();
	const records = await listed(keys);
	if (flags.json) {
		// Neither digests nor signing secrets are shown.
		const shown = records.map(({ version: _version, sha256: _sha256, signingSecret: _secret, ...record }) => ({
			...record,
			group: groupOf(record),
		}));
		process.stdout.write(`${JSON.stringify(shown, null, 2)}\n`);
		return;
	}
	const settings = config.apiKeys?.length ?? 0;
	if (records.length > 0) process.stdout.write(keyTable(records));
	else process.stdout.write(`There are no keys in ${keys.where}. \`picpipe keys add\` creates one.\n`);
	if (settings > 0) {
		const count = settings === 1 ? 'One more key is' : `${settings} more keys are`;
		process.stdout.write(`${count} set by PICPIPE_API_KEYS, with full access.\n`);
	}
}

/**
 * @param wanted the id of a key, or its name if only one valid key has it
 * @throws ConfigError if there is none, or more than one
 */
async function revokeKey(wanted: string): Promise<void> {
	const { config, keys } = await openKeys();
	const records = await listed(keys);
	const named = records.filter(({ name, revokedAt }) => name === wanted && revokedAt === undefined);
	if (named.length > 1) {
		throw new ConfigError([
			`expected the id of a key because ${named.length} are named "${wanted}": ${named.map(({ id }) => id).join(', ')}`,
		]);
	}
	const found = records.find(({ id }) => id === wanted) ?? named[0];
	const before = found?.revokedAt;
	const revoked = found && (await keys.revoke(found.id));
	if (!revoked)
		throw new ConfigError([
			`expected the id or the name of a key but received "${wanted}"; \`picpipe keys list\` shows them`,
		]);
	if (before !== undefined) {
		process.stdout.write(`${revoked.id} "${revoked.name}" has been revoked since ${before}.\n`);
		return;
	}
	process.stdout.write(
		`${revoked.id} "${revoked.name}" is revoked: within ${config.keysSeconds} s it is refused everywhere, and so are the upload tokens made with it.\n`,
	);
	const isLast =
		config.apiKeys === undefined && records.every(({ id, revokedAt }) => id === revoked.id || revokedAt !== undefined);
	if (isLast)
		process.stdout.write('It was the last key: every request is refused until `picpipe keys add` creates another.\n');
}

async function listed(keys: ApiKeys): Promise<readonly KeyRecord[]> {
	const { records, unreadable } = await keys.list();
	for (const key of unreadable) process.stderr.write(`${key} in ${keys.where} cannot be read and is not accepted.\n`);
	return records;
}

async function openKeys(): Promise<{ config: Config; keys: ApiKeys }> {
	surviveBrokenOutput();
	const config = readConfig(process.env);
	const { openApiKeys } = await import('../roles/keys.ts');
	return { config, keys: openApiKeys(config) };
}

/** @param before the existing keys, with revoked ones. @throws ConfigError that lists every invalid flag */
function readWishes(flags: AddKeyFlags, before: readonly KeyRecord[]): KeyWishes {
	const problems: string[] = [];
	const refuse = (flag: string, expected: string, received: string): undefined => {
		problems.push(`--${flag}: expected ${expected} but received "${received}"`);
	};
	const count = (flag: string, text: string | undefined, most: number) => {
		if (text === undefined) return undefined;
		const isCount = /^\d+$/.test(text) && Number(text) >= 1 && Number(text) <= most;
		return isCount ? Number(text) : refuse(flag, `a number from 1 to ${most}`, text);
	};
	const isScope = (text: string): text is Scope => (scopes as readonly string[]).includes(text);
	const asked = split(flags.scope);
	const wrong = asked.find((one) => !isScope(one));
	if (wrong !== undefined || asked.length === 0) refuse('scope', `some of ${scopes.join(', ')}`, wrong ?? '');
	if (!/^[^\p{C}\p{Zl}\p{Zp}]{1,100}$/u.test(flags.name)) refuse('name', '1 to 100 characters on one line', flags.name);
	const { group } = flags;
	if (group !== undefined && !isGroupName(group)) refuse('group', groupNames, group);
	// A mistyped id would be a new group, which owns nothing.
	else if (group?.startsWith('key_') && !before.some((record) => groupOf(record) === group))
		refuse('group', 'the group of an existing key, or a name that does not begin with key_', group);
	const recipes = flags.recipe && split(flags.recipe);
	const wrongRecipe = recipes?.find((one) => !/^[a-z0-9][a-z0-9_]{0,31}$/.test(one));
	if (recipes && (wrongRecipe !== undefined || recipes.length === 0))
		refuse('recipe', 'names of recipes', wrongRecipe ?? '');
	const rate =
		flags.rate === undefined
			? undefined
			: (parseRate(flags.rate) ?? refuse('rate', 'requests in a time such as 60/min, 5/s or 100/10s', flags.rate));
	const concurrency = count('concurrency', flags.concurrency, 1_000_000);
	const perDay = count('per-day', flags.perDay, 1_000_000_000);
	if (problems.length > 0) throw new ConfigError(problems);
	return {
		name: flags.name,
		...(group !== undefined && { group }),
		scopes: scopes.filter((one) => asked.includes(one)),
		...(recipes && { recipes: [...new Set(recipes)] }),
		limits: { ...(rate && { rate }), ...(concurrency && { concurrency }), ...(perDay && { perDay }) },
	};
}

/** A flag may be repeated, and may hold several separated by commas. */
function split(values: readonly string[]): string[] {
	return values
		.flatMap((value) => value.split(','))
		.map((one) => one.trim())
		.filter((one) => one !== '');
}

/** One key, one line for each property. @param where the storage that contains it */
function describeKey(record: KeyRecord, where: string): string {
	const rows = [
		['key', `${record.id} "${record.name}"`],
		['group', groupOf(record)],
		['may', record.scopes.join(', ')],
		['recipes', recipesOf(record)],
		['limits', limitsOf(record)],
		['kept in', where],
	];
	return rows.map(([title = '', text]) => `${title.padEnd(9)}${text}`).join('\n');
}

/** All keys, one per line. */
function keyTable(records: readonly KeyRecord[]): string {
	const rows = records.map((record) => [
		record.id,
		record.name,
		record.group ?? 'its own',
		record.scopes.join(', '),
		recipesOf(record),
		limitsOf(record),
		day(record.createdAt),
		record.revokedAt === undefined ? '' : day(record.revokedAt),
	]);
	const all = [['id', 'name', 'group', 'may', 'recipes', 'limits', 'made', 'revoked'], ...rows];
	const widths = (all[0] ?? []).map((_, column) => Math.max(...all.map((row) => [...(row[column] ?? '')].length)));
	const line = (row: readonly string[]) =>
		row
			.map((cell, column) => cell + ' '.repeat((widths[column] ?? 0) - [...cell].length))
			.join('  ')
			.trimEnd();
	return `${all.map(line).join('\n')}\n`;
}

function recipesOf({ recipes }: KeyRecord): string {
	return recipes ? recipes.join(', ') : 'all';
}

function limitsOf({ limits: { rate, concurrency, perDay } }: KeyRecord): string {
	const limits = [
		rate && rateText(rate),
		concurrency && `${concurrency} at once`,
		perDay && `${perDay.toLocaleString('en')} pictures a day`,
	].filter(Boolean);
	return limits.length > 0 ? limits.join(', ') : 'none';
}

function day(time: string): string {
	return time.slice(0, 10);
}
