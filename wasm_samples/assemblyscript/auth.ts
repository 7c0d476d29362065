// Answers 401 to requests without "authorization", and marks the others. Its root id is "auth".
export * from "@solo-io/proxy-runtime/proxy"; // what the host calls
import {
  Context,
  FilterHeadersStatusValues,
  GrpcStatusValues,
  Headers,
  LogLevelValues,
  RootContext,
  log,
  registerRootContext,
  send_local_response,
  stream_context,
} from "@solo-io/proxy-runtime";

class Root extends RootContext {
  createContext(context_id: u32): Context {
    return new Auth(context_id, this);
  }
}

class Auth extends Context {
  constructor(context_id: u32, root: Root) {
    super(context_id, root);
  }

  onRequestHeaders(count: u32, end_of_stream: bool): FilterHeadersStatusValues {
    if (stream_context.headers.request.get("authorization") != "") {
      stream_context.headers.request.add("x-checked", "yes");
      return FilterHeadersStatusValues.Continue;
    }
    log(LogLevelValues.warn, "no authorization");
    send_local_response(401, "", String.UTF8.encode("who are you?\n"), [], GrpcStatusValues.Unauthenticated);
    return FilterHeadersStatusValues.StopIteration;
  }
}

registerRootContext((context_id: u32) => { return new Root(context_id); }, "auth");
