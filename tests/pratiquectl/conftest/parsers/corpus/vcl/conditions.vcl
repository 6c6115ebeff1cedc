sub vcl_recv {
  if (req.http.host ~ "x") {
    set req.url = "a" + b;
    return (hash);
  } else {
    unset req.x;
  }
  name = "kept";
}
