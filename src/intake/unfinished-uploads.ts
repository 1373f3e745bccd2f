import type { Redis } from 'ioredis';
import * as z from 'zod';
import { isUploadId } from '../domain/upload.ts';
import { isQueueUnavailable } from '../errors.ts';
import { askRedis } from '../queue/redis.ts';
import { uploadOf, uploadsFolder } from '../storage/keys.ts';
import type { Storage } from '../storage/storage.ts';
import { ownerOfUpload, readUpload, type Upload } from './upload-record.ts';

/**
 * What unfinished resumable uploads may take of the storage: their number and their bytes, by upload token, by owner and in all. An upload is
 * counted with its whole length from its creation on. The counts are in Redis; each change costs the same, however many uploads there are.
 */

/** How long a request waits for Redis before the process counts by itself, milliseconds. */
const patience = 250;
/** How often each counted upload is compared with the storage, milliseconds, and how many at most in one sweep. */
const checkEvery = 3_600_000;
const mostChecks = 1_000;
/** Ended uploads that are kept in mind while Redis is away. The check finds those that are forgotten. */
const mostReleases = 10_000;

/** The group of every upload. */
export const everyUpload = 'all';
/** The group of an owner's uploads. */
export const uploadsOfOwner = (owner: string) => `owner:${owner}`;
/** The group of the uploads with one upload token. */
export const uploadsOfToken = (grant: string) => `token:${grant}`;

/** A group of uploads and the most that it may have. */
export interface UploadBound {
	readonly group: string;
	readonly uploads: number;
	readonly bytes: number;
}

/** What a group has, and which of its bounds would be exceeded. */
export interface Excess {
	readonly bound: UploadBound;
	readonly uploads: number;
	readonly bytes: number;
}

/** The unfinished uploads of a storage, over all API processes. */
export interface UnfinishedUploads {
	/**
	 * Counts an upload, or changes its bytes, unless a bound of one of its groups would be exceeded. Of any number of concurrent calls, as many
	 * succeed as the bounds allow.
	 */
	reserve(id: string, bytes: number, bounds: readonly UploadBound[]): Promise<Excess | undefined>;
	/** Stops counting uploads that are gone. */
	release(...ids: string[]): Promise<void>;
	/** An upload has an outcome, and its bytes are gone. A refused one of a token still counts as one, so that a token cannot try for ever. */
	end(upload: Upload): Promise<void>;
	/** For the sweep: releases what the storage no longer has. Counts everything anew when Redis has lost its data. */
	verify(storage: Storage): Promise<void>;
}

/** KEYS: uploads by id (`<bytes> <group> …`), totals of groups, ids by the time of their next check. `%d` because Lua writes minus zero as -0. */
const count = `
local function count(entry, sign)
	local bytes
	for word in string.gmatch(entry, '%S+') do
		if not bytes then bytes = tonumber(word)
		else
			if redis.call('HINCRBY', KEYS[2], word .. '#uploads', sign) <= 0 then redis.call('HDEL', KEYS[2], word .. '#uploads') end
			if redis.call('HINCRBY', KEYS[2], word .. '#bytes', string.format('%d', sign * bytes)) <= 0 then redis.call('HDEL', KEYS[2], word .. '#bytes') end
		end
	end
end
`;

/** ARGV: id, bytes, time of the next check, then group, most uploads and most bytes of each. Returns the place of the exceeded group, or -1. */
const reserveScript = `${count}
local old = redis.call('HGET', KEYS[1], ARGV[1])
if old then count(old, -1) end
local entry = ARGV[2]
for at = 4, #ARGV, 3 do
	local uploads = tonumber(redis.call('HGET', KEYS[2], ARGV[at] .. '#uploads') or 0)
	local bytes = tonumber(redis.call('HGET', KEYS[2], ARGV[at] .. '#bytes') or 0)
	if uploads + 1 > tonumber(ARGV[at + 1]) or bytes + tonumber(ARGV[2]) > tonumber(ARGV[at + 2]) then
		if old then count(old, 1) end
		return { (at - 4) / 3, uploads, bytes }
	end
	entry = entry .. ' ' .. ARGV[at]
end
count(entry, 1)
redis.call('HSET', KEYS[1], ARGV[1], entry)
redis.call('ZADD', KEYS[3], ARGV[3], ARGV[1])
return { -1, 0, 0 }
`;

/** ARGV: ids. */
const releaseScript = `${count}
for at = 1, #ARGV do
	local old = redis.call('HGET', KEYS[1], ARGV[at])
	if old then count(old, -1) end
	redis.call('HDEL', KEYS[1], ARGV[at])
	redis.call('ZREM', KEYS[3], ARGV[at])
end
`;

interface Commands {
	unfinishedReserve(...args: (string | number)[]): Promise<[place: number, uploads: number, bytes: number]>;
	unfinishedRelease(...args: (string | number)[]): Promise<null>;
}

interface Entry {
	readonly bytes: number;
	readonly groups: readonly string[];
}

/**
 * @param prefix of every key in Redis
 * @param maxBytes counted for an upload of unknown length that Redis has forgotten
 */
export function openUnfinishedUploads(redis: Redis, prefix: string, maxBytes: number): UnfinishedUploads {
	redis.defineCommand('unfinishedReserve', { numberOfKeys: 3, lua: reserveScript });
	redis.defineCommand('unfinishedRelease', { numberOfKeys: 3, lua: releaseScript });
	const commands = redis as Redis & Commands;
	const [uploads, totals, checks, complete] = ['uploads', 'totals', 'checks', 'complete'].map(
		(name) => `${prefix}:unfinished:${name}`,
	) as [string, string, string, string];
	const keys = [uploads, totals, checks] as const;
	/** Counted by this process alone while Redis was away, until Redis is told. */
	const own = new Map<string, Entry>();
	const ended = new Set<string>();

	const ask = <T>(command: () => Promise<T>) => askRedis(redis, command, patience);
	const put = (id: string, bytes: number, bounds: readonly UploadBound[]) => {
		const limits = bounds.flatMap((one) => [one.group, one.uploads, one.bytes]);
		return commands.unfinishedReserve(...keys, id, bytes, Date.now() + checkEvery, ...limits);
	};
	const force = (id: string, { bytes, groups }: Entry) =>
		put(
			id,
			bytes,
			groups.map((group) => ({ group, uploads: Number.MAX_SAFE_INTEGER, bytes: Number.MAX_SAFE_INTEGER })),
		);
	const catchUp = async () => {
		for (const [id, entry] of own) {
			await ask(() => force(id, entry));
			own.delete(id);
		}
		if (ended.size === 0) return;
		const ids = [...ended];
		await ask(() => commands.unfinishedRelease(...keys, ...ids));
		for (const id of ids) ended.delete(id);
	};

	const reserveAlone = (id: string, bytes: number, bounds: readonly UploadBound[]): Excess | undefined => {
		const others = [...own].filter(([other]) => other !== id);
		for (const bound of bounds) {
			const members = others.filter(([, { groups }]) => groups.includes(bound.group));
			const sum = members.reduce((total, [, entry]) => total + entry.bytes, 0);
			if (members.length + 1 > bound.uploads || sum + bytes > bound.bytes)
				return { bound, uploads: members.length, bytes: sum };
		}
		own.set(id, { bytes, groups: bounds.map(({ group }) => group) });
		return undefined;
	};

	const release = async (...ids: string[]) => {
		for (const id of ids) {
			own.delete(id);
			if (ended.size < mostReleases) ended.add(id);
		}
		await catchUp().catch(unlessAway);
	};

	const end = async (upload: Upload) => {
		const { id, outcome, owner, parts = [] } = upload;
		const isKept = outcome && 'refused' in outcome && owner.grant !== undefined;
		if (isKept) {
			own.delete(id);
			await ask(() => force(id, { bytes: 0, groups: [uploadsOfToken(String(owner.grant))] })).catch(unlessAway);
		}
		await release(...(isKept ? [] : [id]), ...parts);
	};

	/** Brings the count of one upload in line with the storage. */
	const check = async (storage: Storage, id: string) => {
		const upload = await readUpload(storage, id).catch(unlessUnreadable);
		if (!upload) return release(id);
		if (upload.outcome) return end(upload);
		const known = await redis.hget(uploads, id);
		const bytes = known === null ? sizeOf(upload, maxBytes) : Number.parseInt(known, 10);
		await force(id, { bytes, groups: groupsOf(upload) });
	};

	return {
		async reserve(id, bytes, bounds) {
			ended.delete(id);
			try {
				await catchUp();
				const [place, count, total] = await ask(() => put(id, bytes, bounds));
				const bound = bounds[place];
				return bound && { bound, uploads: count, bytes: total };
			} catch (error) {
				unlessAway(error);
				return reserveAlone(id, bytes, bounds);
			}
		},
		release,
		end,
		async verify(storage) {
			for (const id of await redis.zrangebyscore(checks, '-inf', Date.now(), 'LIMIT', 0, mostChecks)) {
				await check(storage, id);
			}
			if (await redis.exists(complete)) return;
			const ids = new Set<string>();
			for await (const key of storage.list(uploadsFolder)) {
				const id = uploadOf(key);
				if (isUploadId(id)) ids.add(id);
			}
			for (const id of ids) await check(storage, id);
			await redis.set(complete, '1');
		},
	};
}

/** The bytes to reserve. Those of a joined upload are its parts'. @param maxBytes for an upload of unknown length */
export function sizeOf({ parts, length }: Upload, maxBytes: number): number {
	return parts ? 0 : (length ?? maxBytes);
}

function groupsOf(upload: Upload): string[] {
	const { grant } = upload.owner;
	return [...(grant === undefined ? [] : [uploadsOfToken(grant)]), uploadsOfOwner(ownerOfUpload(upload)), everyUpload];
}

/** A record that nobody can read does not stop the sweep; it expires like every other. */
function unlessUnreadable(error: unknown): undefined {
	if (!(error instanceof SyntaxError || error instanceof z.ZodError)) throw error;
}

/** @throws the error, unless Redis is away */
function unlessAway(error: unknown): void {
	if (!isQueueUnavailable(error)) throw error;
}
