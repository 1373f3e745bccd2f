import type { Redis } from 'ioredis';
import { askRedis } from './redis.ts';

/** What a queue knows about a job. `none`: there is no such job. `live`: it waits, runs, or waits for another attempt. */
export interface JobCondition {
	readonly state: 'none' | 'live' | 'completed' | 'failed';
	/** Why it failed; empty if it did not. */
	readonly failedReason: string;
	/** Attempts that it has made. */
	readonly attempts: number;
}

/** Most jobs in one script, so that Redis is never busy with one for long. */
export const conditionsPerScript = 200;

/**
 * ARGV: prefix of the queue's keys, then job ids. Returns state, reason and attempts of each.
 *
 * BullMQ's own `getState` reads the whole waiting list for each job. This script reads no list, except for jobs that are in none of the
 * sorted sets: those are waiting or running, or lost by their list. The lists are short, because the backlog lies in front of the queue. One
 * that is long all the same belongs to a version without a backlog, and is believed to hold the job.
 */
const script = `
local longest = 1000
local inLists
local function isInList(id)
	if not inLists then
		inLists = {}
		for _, name in ipairs({ 'active', 'wait', 'paused' }) do
			local list = ARGV[1] .. name
			if redis.call('LLEN', list) > longest then inLists = 'many' return true end
			for _, member in ipairs(redis.call('LRANGE', list, 0, longest)) do inLists[member] = true end
		end
	end
	return inLists == 'many' or inLists[id]
end
local found = {}
for at = 2, #ARGV do
	local id = ARGV[at]
	local key = ARGV[1] .. id
	local state, reason, attempts = 'live', '', '0'
	if redis.call('EXISTS', key) == 0 then state = 'none'
	elseif redis.call('ZSCORE', ARGV[1] .. 'completed', id) then state = 'completed'
	elseif redis.call('ZSCORE', ARGV[1] .. 'failed', id) then
		state = 'failed'
		local fields = redis.call('HMGET', key, 'failedReason', 'atm')
		reason, attempts = fields[1] or '', fields[2] or '0'
	elseif not redis.call('ZSCORE', ARGV[1] .. 'delayed', id) and not redis.call('ZSCORE', ARGV[1] .. 'prioritized', id)
		and not isInList(id) then state = 'none'
	end
	table.insert(found, state)
	table.insert(found, reason)
	table.insert(found, attempts)
end
return found
`;

export type ReadConditions = (prefix: string, ids: readonly string[]) => Promise<JobCondition[]>;

/** @returns reads conditions; its argument is the prefix of all keys of the queue, with the final colon. It throws `queue-unavailable` */
export function openConditions(redis: Redis): ReadConditions {
	redis.defineCommand('jobConditions', { numberOfKeys: 0, lua: script });
	const commands = redis as Redis & { jobConditions(...args: string[]): Promise<string[]> };
	return async (prefix, ids) => {
		const conditions: JobCondition[] = [];
		for (let at = 0; at < ids.length; at += conditionsPerScript) {
			const some = ids.slice(at, at + conditionsPerScript);
			const found = await askRedis(redis, () => commands.jobConditions(prefix, ...some));
			for (const place of some.keys()) {
				const [state = 'none', failedReason = '', attempts] = found.slice(place * 3, place * 3 + 3);
				conditions.push({ state: state as JobCondition['state'], failedReason, attempts: Number(attempts) });
			}
		}
		return conditions;
	};
}
