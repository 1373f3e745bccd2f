import type { KeyRecord, KeyWishes } from '../access/key.ts';
import { parseRate } from '../access/key-limits.ts';
import type { ApiKeys } from '../access/key-store.ts';
import { type Scope, scopes } from '../access/scope.ts';
import { type Config, ConfigError, readConfig } from '../config/index.ts';
import { survivesBrokenOutput } from '../supervisor/output.ts';
import { describeKey, keyTable } from './keys-text.ts';

/** Opens the keys of the storage that is configured. */
export type OpenApiKeys = (config: Config) => Promise<ApiKeys>;

/** What stands on the command line of `picpipe keys add`. Lists hold what every repetition of a flag gave. */
export interface AddKeyFlags {
	readonly name: string;
	readonly scope: readonly string[];
	readonly recipe?: readonly string[];
	readonly rate?: string;
	readonly concurrency?: string;
	readonly perDay?: string;
}

/**
 * `picpipe keys add`: the key alone goes to standard output, so that a script can take it; what a person wants to know goes to standard error.
 *
 * @throws ConfigError
 */
export async function runKeysAdd(flags: AddKeyFlags, load: () => Promise<OpenApiKeys>): Promise<void> {
	const { config, keys } = await open(load);
	const wishes = readWishes(flags);
	const isFirst = config.apiKeys === undefined && (await listed(keys)).length === 0;
	const { record, text } = await keys.add(wishes);
	process.stderr.write(`${describeKey(record, keys.where)}\n\n`);
	process.stdout.write(`${text}\n`);
	process.stderr.write('\nThis is the only time it is shown; picpipe keeps no more than its digest.\n');
	if (isFirst) {
		process.stderr.write(
			`It is the first one: within ${config.keysSeconds} s the API and Arena ask everybody for a key, on this machine too.\n`,
		);
	}
	const knowsAdmin = wishes.scopes.includes('admin') || !isFirst;
	if (!knowsAdmin) process.stderr.write('Nobody has the scope "admin" yet, which Arena and the dashboard want.\n');
}

/** `picpipe keys list` */
export async function runKeysList(flags: { readonly json?: boolean }, load: () => Promise<OpenApiKeys>): Promise<void> {
	const { config, keys } = await open(load);
	const records = await listed(keys);
	if (flags.json) {
		// Nothing that could be used, also where it would take a lifetime.
		const shown = records.map(({ version: _version, sha256: _sha256, signingSecret: _secret, ...record }) => record);
		process.stdout.write(`${JSON.stringify(shown, null, 2)}\n`);
		return;
	}
	const settings = config.apiKeys?.length ?? 0;
	if (records.length > 0) process.stdout.write(keyTable(records));
	else process.stdout.write(`There are no keys in ${keys.where}. \`picpipe keys add\` makes one.\n`);
	if (settings > 0) {
		const count = settings === 1 ? 'One more key is' : `${settings} more keys are`;
		process.stdout.write(`${count} set by PICPIPE_API_KEYS, good for everything.\n`);
	}
}

/**
 * `picpipe keys revoke`
 *
 * @param wanted the id of a key, or its name where only one that is good has it
 * @throws ConfigError when there is none, or more than one
 */
export async function runKeysRevoke(wanted: string, load: () => Promise<OpenApiKeys>): Promise<void> {
	const { config, keys } = await open(load);
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
		`${revoked.id} "${revoked.name}" is revoked: within ${config.keysSeconds} s nobody takes it any more, nor the upload tokens made with it.\n`,
	);
	const isLast =
		config.apiKeys === undefined && records.every(({ id, revokedAt }) => id === revoked.id || revokedAt !== undefined);
	if (isLast) process.stdout.write('It was the last one: nobody gets in until `picpipe keys add` makes another.\n');
}

async function listed(keys: ApiKeys): Promise<readonly KeyRecord[]> {
	const { records, unreadable } = await keys.list();
	for (const key of unreadable) process.stderr.write(`${key} in ${keys.where} cannot be read, and nobody takes it.\n`);
	return records;
}

async function open(load: () => Promise<OpenApiKeys>): Promise<{ config: Config; keys: ApiKeys }> {
	survivesBrokenOutput();
	const config = readConfig(process.env);
	return { config, keys: await (await load())(config) };
}

/** @throws ConfigError that lists every flag that is wrong */
function readWishes(flags: AddKeyFlags): KeyWishes {
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
