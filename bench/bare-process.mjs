import { createServer } from 'node:http';

/** A server of bare `node:http`: it answers every request with the bytes that its parent sends, and reports its URL. */
process.once('message', ({ type, data }) => {
	const server = createServer((_request, response) => {
		response.writeHead(200, { 'Content-Type': type, 'Content-Length': data.length });
		response.end(data);
	});
	server.listen(0, '127.0.0.1', () => process.send(`http://127.0.0.1:${server.address().port}/`));
});
