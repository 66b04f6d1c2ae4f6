// Stubs for the part of SharePoint's object model from which the prelude reads
// app permissions. They ask the model of the simulated server, as the stubs of
// cmdlets do.
using System;
using System.IO;
using System.Management.Automation;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;

// The version by which scripts tell the editions apart: this one has a module.
[assembly: System.Reflection.AssemblyFileVersion("16.0.18526.20508")]
[assembly: System.Reflection.AssemblyInformationalVersion("16.0.18526.20508")]

namespace Microsoft.SharePoint
{
    public class StubPermission
    {
        public string Right { get; private set; }
        public bool AppOnly { get; private set; }

        public static StubPermission Find(string site, string registeredName)
        {
            string json = Ask("{\"cmdlet\":\"Get-AppPermission\",\"confirmed\":true,\"parameters\":{\"Web\":{\"$type\":\"Microsoft.SharePoint.SPWeb\",\"Url\":\""
                + site + "\"},\"RegisteredName\":\"" + registeredName + "\"}}");
            Match right = Regex.Match(json, "\"Right\":\"(\\w*)\"");
            if (!right.Success) { throw new InvalidOperationException(json); }
            return new StubPermission { Right = right.Groups[1].Value, AppOnly = json.Contains("\"AppOnly\":true") };
        }

        private static string Ask(string json)
        {
            string[] address = Environment.GetEnvironmentVariable("FARMTRUST_MODEL").Split(':');
            byte[] request = Encoding.UTF8.GetBytes("POST / HTTP/1.0\r\nAuthorization: Bearer " + Environment.GetEnvironmentVariable("FARMTRUST_TOKEN")
                + "\r\nContent-Length: " + Encoding.UTF8.GetByteCount(json) + "\r\n\r\n" + json);
            using (TcpClient client = new TcpClient(address[0], int.Parse(address[1])))
            using (NetworkStream stream = client.GetStream())
            {
                stream.Write(request, 0, request.Length);
                return new StreamReader(stream, Encoding.UTF8).ReadToEnd();
            }
        }
    }

    public class SPAppPrincipalName
    {
        public string Value { get; private set; }

        public static SPAppPrincipalName CreateFromNameIdentifier(string name)
        {
            return new SPAppPrincipalName { Value = name };
        }
    }

    public class SPAppPrincipalIdentityProvider
    {
        public static SPAppPrincipalIdentityProvider External { get { return new SPAppPrincipalIdentityProvider(); } }
    }

    public class SPAppPrincipal
    {
        public string Name { get; set; }
    }

    public class SPAppPrincipalManager
    {
        private string site;

        public static SPAppPrincipalManager GetManager(object web)
        {
            return new SPAppPrincipalManager { site = SPAppPrincipalPermissionsManager.UrlOf(web) };
        }

        public SPAppPrincipal LookupAppPrincipal(SPAppPrincipalIdentityProvider provider, SPAppPrincipalName name)
        {
            return StubPermission.Find(site, name.Value).Right == "" ? null : new SPAppPrincipal { Name = name.Value };
        }
    }

    public class SPAppPrincipalPermissionsManager
    {
        private readonly string site;

        public SPAppPrincipalPermissionsManager(object web)
        {
            site = UrlOf(web);
        }

        public string GetAppPrincipalSiteSubscriptionContentPermission(SPAppPrincipal principal)
        {
            return StubPermission.Find(site, principal.Name).Right;
        }

        public bool IsAppOnlyPolicyAllowed(SPAppPrincipal principal)
        {
            return StubPermission.Find(site, principal.Name).AppOnly;
        }

        internal static string UrlOf(object web)
        {
            return (string)PSObject.AsPSObject(web).Properties["Url"].Value;
        }
    }
}
