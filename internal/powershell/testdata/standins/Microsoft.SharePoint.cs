// Stand-ins for the part of SharePoint's object model that the prelude asks
// about app permissions, where there is a .NET to load it: on the Windows
// Server of windows.yml. They read the same world as the stand-in cmdlets.
using System;
using System.IO;
using System.Management.Automation;
using System.Runtime.Serialization;
using System.Runtime.Serialization.Json;

// What the scripts tell the editions by: this one brings a module.
[assembly: System.Reflection.AssemblyFileVersion("16.0.18526.20508")]
[assembly: System.Reflection.AssemblyInformationalVersion("16.0.18526.20508")]

namespace Microsoft.SharePoint
{
    [DataContract]
    public class StandInPermission
    {
        [DataMember(Name = "site")] public string Site { get; set; }
        [DataMember(Name = "registeredName")] public string RegisteredName { get; set; }
        [DataMember(Name = "right")] public string Right { get; set; }
        [DataMember(Name = "appOnly")] public bool AppOnly { get; set; }
    }

    [DataContract]
    public class StandInFarm
    {
        [DataMember(Name = "permissions")] public StandInPermission[] Permissions { get; set; }
    }

    [DataContract]
    public class StandInWorld
    {
        [DataMember(Name = "sharePoint")] public StandInFarm SharePoint { get; set; }

        public static StandInPermission Find(string site, string registeredName)
        {
            using (FileStream stream = File.OpenRead(Environment.GetEnvironmentVariable("FARMTRUST_WORLD")))
            {
                StandInWorld world = (StandInWorld)new DataContractJsonSerializer(typeof(StandInWorld)).ReadObject(stream);
                return Array.Find(world.SharePoint.Permissions, p => p.Site == site && p.RegisteredName == registeredName);
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
            return StandInWorld.Find(site, name.Value) == null ? null : new SPAppPrincipal { Name = name.Value };
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
            return StandInWorld.Find(site, principal.Name).Right;
        }

        public bool IsAppOnlyPolicyAllowed(SPAppPrincipal principal)
        {
            return StandInWorld.Find(site, principal.Name).AppOnly;
        }

        internal static string UrlOf(object web)
        {
            return (string)PSObject.AsPSObject(web).Properties["Url"].Value;
        }
    }
}
