a = (b)
c = ((b))
d = f(x)
e = [f(x), (y)]
g = x.y.z
h = x[0]
i = x["k"]
j = x[y]
k = x[*].a
l = x.*.a.0
m = x.0
n = a && b || c == d
o = a ? b : c ? d : e
p = [
  1,
  2,
]
q = {
  a : 1
  b = 2,
  c = 3
}
r = [for x in y : { z = x }]
s = {for k, v in m : k => v if v > 1}
t = f(
  1,
  2,
)
u = -x.y
v = !f(x)
w = a -1
x = a-1
y = a % b / c * d - e + f
z = "a" == "b"
aa = [[1], [], [{}]]
bb = foo(bar(baz))
cc = {(a) = (b)}
dd = [for x in (y) : (x)]
ee = { "a" = 1, "a${b}c" = 2, null = 3 }
ff = /* c */ 1 # d
gg = a[(b)]
hh = true ? 1 : 2
ii = (a).b
jj = "x".y
kk = [1][0]
ll = {a=1}.a
mm = f(a...)
nn = (
  1 + 2
)
oo = a.b[c.d]
