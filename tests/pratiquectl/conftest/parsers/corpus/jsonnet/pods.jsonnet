local image = "vllm:0.9";
local pod(name, gpus=1) = { kind: "Pod", metadata: { name: name }, spec: { gpus: gpus } };
{
  pods: [pod("p%d" % i, i) for i in std.range(1, 3)],
  merged: { a: 1 } + { b: 2, a: 3 },
  hidden:: 1,
  [if image != "" then "image"]: image,
  half: 1 / 2, big: 1e21, large: 12345678901234567890, third: 1/3, neg: -0,
  text: |||
    several
      lines
  |||,
  "größe": "\u00e9 🚀",
  nothing: null,
  self_ref: self.half,
}
