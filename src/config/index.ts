import { join } from 'node:path';
import { didYouMean } from '../suggestion.ts';
import { connections } from './connections.ts';
import { delivery } from './delivery.ts';
import { fetching } from './fetching.ts';
import { imaging } from './imaging.ts';
import type { Setting, SettingGroup } from './kinds.ts';
import { limits } from './limits.ts';
import { commandLine, processes } from './processes.ts';
import { recipes } from './recipes.ts';
import { server } from './server.ts';
import { storage } from './storage.ts';
import { watch } from './watch.ts';
import { webhooks } from './webhooks.ts';

/** Every setting, in the order of `docs/reference/configuration.md`, which is generated from this list. */
export const settingGroups = [
	server,
	storage,
	recipes,
	limits,
	connections,
	fetching,
	watch,
	delivery,
	webhooks,
	imaging,
	processes,
	commandLine,
] as const satisfies readonly SettingGroup[];

type Intersection<Union> = (Union extends unknown ? (one: Union) => void : never) extends (one: infer All) => void
	? All
	: never;
type Settings = Intersection<(typeof settingGroups)[number]['settings']>;
type Values = { readonly [Name in keyof Settings]: Settings[Name] extends Setting<infer T> ? T : never };

/** Every setting by its name. */
export const settings = Object.assign({}, ...settingGroups.map((group) => group.settings)) as Settings;

/** The validated settings, with the storage URL and the scratch folder filled in. */
export type Config = Omit<Values, 'storage' | 'scratchFolder'> & {
	readonly storage: string;
	readonly scratchFolder: string;
};

/** Every problem with the settings at once. */
export class ConfigError extends Error {
	override readonly name = 'ConfigError';
	readonly problems: readonly string[];

	constructor(problems: readonly string[]) {
		super(
			`The configuration has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`,
		);
		this.problems = problems;
	}
}

/** Whether only this machine can reach the host. */
export function isLoopback(host: string): boolean {
	return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

/** @throws ConfigError that lists every problem. */
export function readConfig(environment: NodeJS.ProcessEnv): Config {
	const { values, problems } = readValues(environment);
	if (problems.length > 0) throw new ConfigError(problems);
	const { dataFolder } = values;
	return {
		...values,
		storage: values.storage ?? `file:${join(dataFolder)}`,
		scratchFolder: values.scratchFolder ?? join(dataFolder, 'scratch'),
	};
}

/** The values and the problems of all settings. A value with a problem is undefined. */
export function readValues(environment: NodeJS.ProcessEnv): { readonly values: Values; readonly problems: string[] } {
	const problems: string[] = [];
	const values = Object.fromEntries(
		Object.entries<Setting<unknown>>(settings).map(([name, one]) => {
			// An empty variable counts as unset: that is what `FOO=` in an env file means to people.
			const given = environment[one.variable] || one.default;
			if (given === undefined) return [name, undefined];
			const value = one.parse(given);
			if (value === undefined) {
				problems.push(
					`${one.variable}: expected ${one.expected} but received ${one.secret ? 'something else' : JSON.stringify(given)}`,
				);
			}
			return [name, value];
		}),
	) as Values;
	problems.push(...unknownVariables(environment), ...contradictions(values));
	return { values, problems };
}

/** A misspelt variable would be ignored in silence, and its limit with it. */
function unknownVariables(environment: NodeJS.ProcessEnv): string[] {
	const known = Object.values<Setting<unknown>>(settings).map((one) => one.variable);
	return Object.keys(environment)
		.filter((name) => name.startsWith('PICPIPE_') && !known.includes(name))
		.map((name) => `${name}: there is no such setting${didYouMean(name, known)}`);
}

function contradictions(values: Values): string[] {
	const problems: string[] = [];
	const { uploadSeconds, abandonedSeconds, resumableSeconds, drainSeconds, stopSeconds } = values;
	if (abandonedSeconds <= uploadSeconds) {
		problems.push(
			`PICPIPE_ABANDONED_SECONDS: expected more than PICPIPE_UPLOAD_SECONDS (${uploadSeconds}) but received ${abandonedSeconds}`,
		);
	}
	if (resumableSeconds <= uploadSeconds) {
		problems.push(
			`PICPIPE_RESUMABLE_SECONDS: expected more than PICPIPE_UPLOAD_SECONDS (${uploadSeconds}) but received ${resumableSeconds}`,
		);
	}
	if (drainSeconds >= stopSeconds) {
		problems.push(
			`PICPIPE_DRAIN_SECONDS: expected less than PICPIPE_STOP_SECONDS (${stopSeconds}) but received ${drainSeconds}`,
		);
	}
	const { host, port, arenaHost, arenaPort } = values;
	if (port !== 0 && port !== undefined && port === arenaPort && host === arenaHost) {
		problems.push(`PICPIPE_ARENA_PORT: expected another port than PICPIPE_PORT (${port}) but received ${arenaPort}`);
	}
	const { scratchMegabytes, maxBytes } = values;
	if (values.storage !== undefined && !values.storage.startsWith('file:') && scratchMegabytes * 1e6 < maxBytes) {
		problems.push(
			`PICPIPE_SCRATCH_MEGABYTES: expected at least PICPIPE_MAX_BYTES (${maxBytes} bytes) but received ${scratchMegabytes} MB`,
		);
	}
	if (values.webhookUrl !== undefined && values.webhookSecrets === undefined) {
		problems.push('PICPIPE_WEBHOOK_URL: expected PICPIPE_WEBHOOK_SECRETS too, to sign with, but received none');
	}
	if (values.accelRedirect !== undefined && values.storage !== undefined && !values.storage.startsWith('file:')) {
		problems.push('PICPIPE_ACCEL_REDIRECT: expected none because PICPIPE_STORAGE is no folder');
	}
	return problems;
}
