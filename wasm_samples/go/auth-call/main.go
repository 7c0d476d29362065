// Asks the cluster "auth" about every request that has an authorization; on its 200 the request goes on with the answer's
// body as "x-user", else it is answered 403. Requests without one are answered 401.
package main

import pw "filters/proxywasm"

var waiting = map[uint32]uint32{} // call -> the stream that waits for it

func main() {}

//go:wasmexport proxy_on_request_headers
func onRequestHeaders(context, count, end uint32) uint32 {
	given := pw.Header(pw.RequestHeaders, "authorization")
	if given == "" {
		pw.Answer(401, "who are you?\n")
		return pw.Pause
	}
	call, made := pw.Call("auth", [][2]string{
		{":method", "GET"}, {":path", "/check"}, {":authority", "auth.example.com"}, {"authorization", given},
	}, 1000)
	if !made {
		pw.Answer(500, "no check\n")
		return pw.Pause
	}
	waiting[call] = context
	return pw.Pause
}

//go:wasmexport proxy_on_http_call_response
func onCallResponse(context, call, headers, size, trailers uint32) {
	stream := waiting[call]
	delete(waiting, call)
	status := pw.Header(pw.CallHeaders, ":status")
	user := pw.Buffer(pw.CallBody, size)
	pw.Log(pw.Info, "checked: "+status)
	pw.ActFor(stream)
	if status != "200" {
		pw.Answer(403, "not you\n")
		return
	}
	pw.AddHeader(pw.RequestHeaders, "x-user", user)
	pw.Resume()
}
