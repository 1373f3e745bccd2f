import { photograph } from '../helpers/pictures.ts';
import { slow, startPool, until } from '../imaging/pool-fixture.ts';

/** A worker for `pool-faults.test.ts` to kill: both processes are busy when it prints their ids. */
const { task, run, pool } = await startPool();
const file = await photograph({ width: 1600, height: 1200 });
const works = [run(await task(file, slow)), run(await task(file, slow))];
await until('both work', () => works.every(({ steps }) => steps.length > 0));
process.stdout.write(JSON.stringify(pool.pids()));
