import { createServer } from 'node:http';
import { createIPX, createIPXNodeHandler, ipxFSStorage } from 'ipx';

/** ipx as a server, over the files of a folder. Prints its URL. */
const [folder] = process.argv.slice(2);
const ipx = createIPX({ storage: ipxFSStorage({ dir: folder }) });
const server = createServer(createIPXNodeHandler(ipx)).listen(0, '127.0.0.1', () => {
	process.stdout.write(`http://127.0.0.1:${server.address().port}\n`);
});
