backend app {
    .host = "127.0.0.1";
    .port = "8081";
    .connect_timeout = 60s;
    .max_connections = 800;
    .probe = { .url = "health"; .interval = 5s; }
}
backend other { .host = "b"; }
acl purge {
    "127.0.0.1";
    "10.0.0.0"/8;
    !"192.168.0.1";
}
# comment
// another
sub vcl_recv {
  if (req.url ~ "x") { return (pass); } else { call y; }
  set = "a";
}
