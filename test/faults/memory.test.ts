import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../helpers/folder.ts';
import { twelveMegapixels } from '../helpers/pictures.ts';
import { PicpipeProcess } from '../helpers/processes.ts';
import { endWithTest } from '../helpers/shared.ts';

const limit = 512 * 1024 * 1024;

/** A control group below that of this process, where memory can be limited (cgroups v1); undefined where the machine does not allow it. */
function smallGroup(): string | undefined {
	try {
		const own = /^\d+:memory:(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1];
		if (own === undefined) return undefined;
		const folder = join('/sys/fs/cgroup/memory', own, `picpipe-test-${process.pid}`);
		mkdirSync(folder);
		writeFileSync(join(folder, 'memory.limit_in_bytes'), String(limit));
		return folder;
	} catch {
		return undefined;
	}
}

const group = smallGroup();
const title = group
	? 'a machine with 512 MB'
	: 'a machine with 512 MB: NOT TESTED, because this one does not let the test limit the memory of a control group';

/** Memory of processes, bytes; shared pages are divided among the processes that share them. */
function sharedMemoryOf(pids: readonly number[]): number {
	const kilobytes = pids.map((pid) => /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1]);
	return kilobytes.reduce((sum, one) => sum + Number(one) * 1_024, 0);
}

describe(title, () => {
	it.runIf(group)(
		'makes photographs of 12 megapixels one after another, without a kill, in little memory',
		{
			timeout: 120_000,
		},
		async () => {
			const folder = await temporaryFolder();
			const picpipe = new PicpipeProcess({
				folder,
				run: {
					program: 'sh',
					arguments: [
						'-c',
						`echo $$ > "$0/cgroup.procs" && exec "$1" dist/bin/cli.js start`,
						String(group),
						process.execPath,
					],
					cwd: fileURLToPath(new URL('../..', import.meta.url)),
				},
				environment: { PICPIPE_IMAGING_PROCESSES: undefined },
			});
			endWithTest(async () => {
				await picpipe.destroy();
				rmdirSync(String(group));
			});
			const { api, memory } = (await picpipe.ready()) as Awaited<ReturnType<PicpipeProcess['ready']>> & {
				memory: string;
			};
			expect(memory).toBe(
				'537 MB (limit of the control group): up to 1 imaging process, 8 million pixels at a time, small heaps',
			);
			const body = await twelveMegapixels();
			const send = async () => {
				const headers = { 'content-type': 'image/jpeg', prefer: 'wait=60' };
				const answer = await fetch(`${api}/v1/pictures`, { method: 'POST', headers, body });
				return ((await answer.json()) as { state: string }).state;
			};
			expect(await send()).toBe('ready');
			// 200 MB on a quiet machine; what varies is when V8 returns the memory of the start.
			expect(sharedMemoryOf(picpipe.survivors().map(({ pid }) => pid))).toBeLessThan(260e6);
			for (let more = 0; more < 4; more++) expect(await send()).toBe('ready');
			expect(readFileSync(join(String(group), 'memory.oom_control'), 'utf8')).toContain('oom_kill 0');
			expect(picpipe.lines.filter(({ msg }) => msg === 'imaging process died')).toEqual([]);
			expect(await picpipe.stop()).toEqual({ code: 0, signal: null });
		},
	);
});
